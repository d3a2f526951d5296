"""What is due of storage commitment and backfills is found without a look at what is done.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_INDEXES = (
    ("deliveries", ("commitment", "peer", "sent_at")),
    ("commitments_asked", ("peer", "state", "priority", "due_at", "id")),
    ("commitments_requested", ("state", "priority", "due_at", "id")),
    ("backfill_studies", ("state", "priority", "due_at", "id")),
)


def upgrade() -> None:
    """Add an index to each."""
    for table, columns in _INDEXES:
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def downgrade() -> None:
    """Take them away."""
    for table, columns in _INDEXES:
        op.drop_index(f"ix_{table}_{'_'.join(columns)}", table)
