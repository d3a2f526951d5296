"""What a peer may hold, what an operator has waived, and which versions were recalled.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_ADDED = ("offered_at", "waits_since", "past_hold", "held_for", "waived")


def upgrade() -> None:
    """Add them; of what was ever taken in hand before, nobody knows that it never left."""
    op.add_column("deliveries", sa.Column("offered_at", _TIME, nullable=True))
    op.add_column("deliveries", sa.Column("waits_since", _TIME, nullable=True))
    op.add_column("deliveries", sa.Column("past_hold", _NUMBER, nullable=True))
    op.add_column("deliveries", sa.Column("held_for", sa.Text(), server_default="", nullable=False))
    op.add_column("deliveries", sa.Column("waived", sa.JSON(), server_default="[]", nullable=False))
    op.execute("UPDATE deliveries SET offered_at = coalesce(sent_at, settled_at, created_at) WHERE attempt > 0")
    op.execute("UPDATE deliveries SET waits_since = released_at")
    op.execute(
        "UPDATE deliveries SET past_hold = "
        "(SELECT coalesce(max(holds.id), 0) FROM holds WHERE holds.held_at <= deliveries.released_at) "
        "WHERE kind = 'rejection_note' AND released_at IS NOT NULL"
    )
    op.create_table(
        "recalls",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recalled_by", sa.Text(), nullable=False),
        sa.Column("recalled_at", _TIME, nullable=False),
        sa.UniqueConstraint("model", "version", name="uq_recalls_model_version"),
        sa.PrimaryKeyConstraint("id", name="pk_recalls"),
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_table("recalls")
    with op.batch_alter_table("deliveries") as deliveries:
        for name in _ADDED:
            deliveries.drop_column(name)
