"""intents whole, so that another machine can go on where one left off"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("intents", sa.Column("record", sa.LargeBinary(), nullable=True))
    op.add_column(
        "orders", sa.Column("protected", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("orders", "protected")
    op.drop_column("intents", "record")
