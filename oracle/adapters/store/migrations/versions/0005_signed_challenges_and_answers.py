"""Signed challenges and answers, modes, claims

Challenges of the old form can't be signed, so they go: a commit whose openings are due when
this runs is opened under a challenge drawn anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.drop_table("challenges")
    op.create_table(
        "challenges",
        sa.Column("device", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seed", sa.LargeBinary(length=32), nullable=False),
        sa.Column("provider", NUMBER, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("mode", NUMBER, nullable=False),
        sa.Column("m", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("k", sa.BigInteger(), nullable=False),
        sa.Column("rounds", NUMBER, nullable=False),
        sa.Column("queries", NUMBER, nullable=False),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("secret", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("device", "seed", name=op.f("pk_challenges")),
    )
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("claimed_ops_per_second", sa.BigInteger(), server_default="0", nullable=False)
        )
    with op.batch_alter_table("commits", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mode", NUMBER, server_default="0", nullable=False))
        batch_op.add_column(
            sa.Column("bytes_per_second", sa.BigInteger(), server_default="0", nullable=False)
        )
        batch_op.add_column(sa.Column("answer", sa.LargeBinary(length=32), nullable=True))
        batch_op.add_column(sa.Column("answer_signature", sa.LargeBinary(length=65), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("commits", schema=None) as batch_op:
        batch_op.drop_column("answer_signature")
        batch_op.drop_column("answer")
        batch_op.drop_column("bytes_per_second")
        batch_op.drop_column("mode")
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.drop_column("claimed_ops_per_second")
    op.drop_table("challenges")
    op.create_table(
        "challenges",
        sa.Column("device", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seed", sa.LargeBinary(length=32), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("secret", sa.LargeBinary(length=32), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("device", "seed", name=op.f("pk_challenges")),
    )
