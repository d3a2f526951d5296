"""Jobs know when their study began, so that one index gives the order of claims: urgency, then the newest study.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_CLAIM = "ix_jobs_kind_state_priority_study_order_due_at_id"
_BEFORE = "ix_jobs_state_priority_due_at_id"
_MILLISECONDS = {
    "sqlite": "CAST((julianday(first_received_at) - 2440587.5) * 86400000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM first_received_at) * 1000 AS BIGINT)",
}


def upgrade() -> None:
    """Add the order and its index, and drop the one by due time alone."""
    op.add_column("jobs", sa.Column("study_order", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    since = _MILLISECONDS[op.get_bind().dialect.name]
    op.execute(
        sa.text(
            f"UPDATE jobs SET study_order = (SELECT -{since} FROM studies "  # noqa: S608 - both texts stand above
            "WHERE studies.study_instance_uid = jobs.study_instance_uid)"
        )
    )
    op.create_index(_CLAIM, "jobs", ["kind", "state", "priority", "study_order", "due_at", "id"])
    op.drop_index(_BEFORE, "jobs")


def downgrade() -> None:
    """Take them away."""
    op.create_index(_BEFORE, "jobs", ["state", "priority", "due_at", "id"])
    op.drop_index(_CLAIM, "jobs")
    op.drop_column("jobs", "study_order")
