"""Evidence of cards, with the answers that it came with"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evidence",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("device", sa.LargeBinary(length=32), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("report", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_evidence")),
    )
    op.create_index(op.f("ix_evidence_device_epoch"), "evidence", ["device", "epoch"])
    with op.batch_alter_table("commits", schema=None) as batch_op:
        batch_op.add_column(sa.Column("evidence", sa.LargeBinary(length=32), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("commits", schema=None) as batch_op:
        batch_op.drop_column("evidence")
    op.drop_index(op.f("ix_evidence_device_epoch"), table_name="evidence")
    op.drop_table("evidence")
