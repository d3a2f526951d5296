"""Study results: what was said of each class of a study, and which studies a rule's number of images turned away.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_UID = sa.String(length=64)


def upgrade() -> None:
    """Add them; results from before have no figures for the study as a whole."""
    op.add_column("analyses", sa.Column("findings", sa.JSON(), server_default="[]", nullable=False))
    op.create_table(
        "studies_turned_away",
        sa.Column("study_instance_uid", _UID, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"],
            ["studies.study_instance_uid"],
            name="fk_studies_turned_away_study_instance_uid_studies",
        ),
        sa.PrimaryKeyConstraint("study_instance_uid", "model", name="pk_studies_turned_away"),
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_table("studies_turned_away")
    with op.batch_alter_table("analyses") as analyses:
        analyses.drop_column("findings")
