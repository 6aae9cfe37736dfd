"""Execution receipts"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "execution_receipts",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("document", sa.LargeBinary(length=32), nullable=False),
        sa.Column("job", sa.BigInteger(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("period", NUMBER, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), server_default="", nullable=False),
        sa.Column("arrived_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_execution_receipts")),
        sa.UniqueConstraint("document", name=op.f("uq_execution_receipts_document")),
    )
    with op.batch_alter_table("execution_receipts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_execution_receipts_job_issuer_period"),
            ["job", "issuer", "period"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_execution_receipts_state"), ["state"], unique=False)

    op.create_table(
        "execution_signatures",
        sa.Column("document", sa.LargeBinary(length=32), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("signer", sa.String(), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=65), nullable=False),
        sa.ForeignKeyConstraint(
            ["document"],
            ["execution_receipts.document"],
            name=op.f("fk_execution_signatures_document_execution_receipts"),
        ),
        sa.PrimaryKeyConstraint("document", "role", "signer", name=op.f("pk_execution_signatures")),
    )


def downgrade() -> None:
    op.drop_table("execution_signatures")
    with op.batch_alter_table("execution_receipts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_execution_receipts_state"))
        batch_op.drop_index(batch_op.f("ix_execution_receipts_job_issuer_period"))

    op.drop_table("execution_receipts")
