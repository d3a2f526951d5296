"""When a delivery was made, and an index by peer: a claim looks past what waits for others.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BY_PEER = "ix_deliveries_peer_state_priority_due_at_id"


def upgrade() -> None:
    """Add both; a delivery from before was made when its report was."""
    op.add_column("deliveries", sa.Column("created_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        sa.text(
            "UPDATE deliveries SET created_at = "
            "(SELECT analyses.created_at FROM analyses WHERE analyses.id = deliveries.analysis_id)"
        )
    )
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.alter_column("created_at", existing_type=sa.DateTime(timezone=True), nullable=False)
    op.create_index(_BY_PEER, "deliveries", ["peer", "state", "priority", "due_at", "id"])


def downgrade() -> None:
    """Take them away."""
    op.drop_index(_BY_PEER, "deliveries")
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.drop_column("created_at")
