"""Which card was the first to show an attestation key

Cards show theirs in every epoch, so that of a live one is here within an epoch of the upgrade.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attestation_keys",
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("identity", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attestation_keys")),
    )


def downgrade() -> None:
    op.drop_table("attestation_keys")
