"""A compose knows how long its study may wait, and when the sender is asked for its counts.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ASKED = sa.text("ask_at IS NOT NULL")


def upgrade() -> None:
    """Add two times; a compose that waits already keeps the time at which it is due, and asks nobody."""
    op.add_column("jobs", sa.Column("latest_at", _TIME, nullable=True))
    op.add_column("jobs", sa.Column("ask_at", _TIME, nullable=True))
    op.create_index("ix_jobs_ask_at", "jobs", ["ask_at"], sqlite_where=_ASKED, postgresql_where=_ASKED)


def downgrade() -> None:
    """Take them away."""
    op.drop_index("ix_jobs_ask_at", "jobs")
    op.drop_column("jobs", "ask_at")
    op.drop_column("jobs", "latest_at")
