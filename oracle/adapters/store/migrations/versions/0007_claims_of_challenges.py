"""What a device claimed, with the challenge that it has to prove it by

Of challenges from before nothing is known: they bring a device into no class. Those of the epoch
in which an oracle is upgraded are lost, the next one's are whole.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("challenges", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("memory_mb", sa.BigInteger(), nullable=False, server_default="0")
        )
        batch_op.add_column(
            sa.Column("sliced", sa.Boolean(), nullable=False, server_default=sa.true())
        )
        batch_op.add_column(
            sa.Column("certified", sa.Boolean(), nullable=False, server_default=sa.false())
        )


def downgrade() -> None:
    with op.batch_alter_table("challenges", schema=None) as batch_op:
        batch_op.drop_column("certified")
        batch_op.drop_column("sliced")
        batch_op.drop_column("memory_mb")
