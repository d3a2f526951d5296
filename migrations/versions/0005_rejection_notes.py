"""Rejection notes that came, until it is known what they take back.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_STATES = "state IN ('waiting', 'running', 'done', 'buried', 'cancelled', 'held')"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "rejection_notes",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("code_value", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("lapses", sa.Integer(), nullable=False),
        sa.Column("lease_until", _TIME, nullable=True),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("settled_at", _TIME, nullable=True),
        sa.CheckConstraint(_STATES, name="ck_rejection_notes_state"),
        sa.UniqueConstraint("sop_instance_uid", name="uq_rejection_notes_sop_instance_uid"),
        sa.PrimaryKeyConstraint("id", name="pk_rejection_notes"),
    )
    op.create_index(
        "ix_rejection_notes_state_priority_due_at_id", "rejection_notes", ["state", "priority", "due_at", "id"]
    )


def downgrade() -> None:
    """Take it away; notes that were not applied yet are forgotten."""
    op.drop_table("rejection_notes")
