"""Headers are counted in each study: which of two came last does not depend on what the clock said.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the counter and each instance's number; what is held already is told apart by its time, as before."""
    op.add_column("studies", sa.Column("headers", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("instances", sa.Column("header_number", sa.Integer(), nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    """Take them away."""
    op.drop_column("instances", "header_number")
    op.drop_column("studies", "headers")
