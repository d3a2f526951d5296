"""Images that say of themselves that they are synthetic.

What was stored before is taken for real: its header was not asked.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the flag; a false one is what an older row gets."""
    op.add_column("instances", sa.Column("synthetic", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Take the flag away; SQLite drops a plain column too, since 3.35."""
    op.drop_column("instances", "synthetic")
