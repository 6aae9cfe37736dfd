"""Batches left for the root; coverage from one index"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("receipts", sa.LargeBinary(), nullable=False),
        sa.Column("signatures", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "number", name=op.f("pk_batches")),
    )
    with op.batch_alter_table("heartbeats", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_heartbeats_device_arrived_at"))
        batch_op.create_index(
            batch_op.f("ix_heartbeats_device_arrived_at_quarantined"),
            ["device", "arrived_at", "quarantined"],
            unique=False,
        )


def downgrade() -> None:
    with op.batch_alter_table("heartbeats", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_heartbeats_device_arrived_at_quarantined"))
        batch_op.create_index(
            batch_op.f("ix_heartbeats_device_arrived_at"), ["device", "arrived_at"], unique=False
        )
    op.drop_table("batches")
