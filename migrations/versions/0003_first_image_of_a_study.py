"""The first image of a study is found at once, however many it has.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BY_TIME, _BY_STUDY = "ix_instances_study_instance_uid_kind_received_at", "ix_instances_study_instance_uid"


def upgrade() -> None:
    """Keep a study's instances by kind and time; what asks for the study alone uses the same index."""
    op.create_index(_BY_TIME, "instances", ["study_instance_uid", "kind", "received_at"])
    op.drop_index(_BY_STUDY, "instances")


def downgrade() -> None:
    """Keep them by study alone again."""
    op.create_index(_BY_STUDY, "instances", ["study_instance_uid"])
    op.drop_index(_BY_TIME, "instances")
