"""Several renditions of a report, of which a delivery pins one, and what goes beside a report.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_CHOICE = sa.String(length=16)
_BEFORE = "kind IN ('report', 'rejection_note')"
_AFTER = "kind IN ('report', 'text', 'heatmap', 'rejection_note')"
_NOTES = "UPDATE renditions SET kind = 'rejection_note' WHERE sop_class_uid = '1.2.840.10008.5.1.4.1.1.88.59'"


def upgrade() -> None:
    """Add them; until now each analysis had one rendition, which was pinned from the beginning."""
    with op.batch_alter_table("renditions") as renditions:
        renditions.add_column(sa.Column("kind", _CHOICE, server_default="report", nullable=False))
        renditions.create_check_constraint("ck_renditions_kind", sa.text(_AFTER))
    op.execute(sa.text(_NOTES))
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.drop_constraint("ck_deliveries_kind", type_="check")
        deliveries.create_check_constraint("ck_deliveries_kind", sa.text(_AFTER))
        deliveries.add_column(sa.Column("pinned_at", _TIME, nullable=True))
    op.execute(sa.text("UPDATE deliveries SET pinned_at = created_at"))


def downgrade() -> None:
    """Take them away, and what went beside reports with them; what is not pinned goes as it would be offered first."""
    op.execute(sa.text("DELETE FROM deliveries WHERE kind IN ('text', 'heatmap')"))
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.drop_constraint("ck_deliveries_kind", type_="check")
        deliveries.create_check_constraint("ck_deliveries_kind", sa.text(_BEFORE))
        deliveries.drop_column("pinned_at")
    op.execute(sa.text("DELETE FROM renditions WHERE kind IN ('text', 'heatmap')"))
    with op.batch_alter_table("renditions") as renditions:
        renditions.drop_constraint("ck_renditions_kind", type_="check")
        renditions.drop_column("kind")
