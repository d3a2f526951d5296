"""What models saw of images, what later images are compared with, and alarms.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_OPEN = sa.text("cleared_at IS NULL")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "monitored_readings",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("admitted", sa.Boolean(), nullable=False),
        sa.Column("classifier", sa.LargeBinary(), nullable=False),
        sa.Column("anomaly", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sop_instance_uid"],
            ["instances.sop_instance_uid"],
            name="fk_monitored_readings_sop_instance_uid_instances",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_monitored_readings"),
        sa.UniqueConstraint(
            "sop_instance_uid", "model", "version", name="uq_monitored_readings_sop_instance_uid_model_version"
        ),
    )
    op.create_index("ix_monitored_readings_model_version_id", "monitored_readings", ["model", "version", "id"])
    op.create_table(
        "monitor_references",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("first_id", _NUMBER, nullable=False),
        sa.Column("last_id", _NUMBER, nullable=False),
        sa.Column("made_at", _TIME, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_monitor_references"),
    )
    op.create_index("ix_monitor_references_model_version", "monitor_references", ["model", "version"])
    op.create_table(
        "monitor_alarms",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("raised_at", _TIME, nullable=False),
        sa.Column("cleared_at", _TIME, nullable=True),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.CheckConstraint("kind IN ('drift', 'admission', 'flags', 'ppv', 'silence')", name="ck_monitor_alarms_kind"),
        sa.PrimaryKeyConstraint("id", name="pk_monitor_alarms"),
    )
    op.create_index(
        "ix_monitor_alarms_open",
        "monitor_alarms",
        ["model", "version", "kind", "sender", "modality"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_index("ix_monitor_alarms_open", table_name="monitor_alarms", sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.drop_table("monitor_alarms")
    op.drop_index("ix_monitor_references_model_version", table_name="monitor_references")
    op.drop_table("monitor_references")
    op.drop_index("ix_monitored_readings_model_version_id", table_name="monitored_readings")
    op.drop_table("monitored_readings")
