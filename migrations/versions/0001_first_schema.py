"""The first schema: instances, jobs, readings, reports, deliveries, models and the audit.

This file is complete in itself: it imports nothing of the node, whose tables grow on while it stays as it is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_UID = sa.String(length=64)
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_CHOICE = sa.String(length=16)

_TABLES = (
    "audit",
    "models",
    "refused_callers",
    "studies",
    "analyses",
    "instances",
    "jobs",
    "instance_copies",
    "readings",
    "renditions",
    "deliveries",
)


def upgrade() -> None:
    _create_audit()
    _create_models()
    _create_refused_callers()
    _create_studies()
    _create_analyses()
    _create_instances()
    _create_jobs()
    _create_instance_copies()
    _create_readings()
    _create_renditions()
    _create_deliveries()


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)


def _lifecycle() -> list[sa.Column]:
    return [
        sa.Column("state", _CHOICE, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("lapses", sa.Integer(), nullable=False),
        sa.Column("lease_until", _TIME, nullable=True),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("settled_at", _TIME, nullable=True),
    ]


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_study_instance_uid", "audit", ["study_instance_uid"])


def _create_models() -> None:
    op.create_table(
        "models",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("mode", _CHOICE, nullable=False),
        sa.Column("rule", sa.JSON(), nullable=False),
        sa.CheckConstraint("mode IN ('shadow', 'active', 'off')", name="ck_models_mode"),
        sa.PrimaryKeyConstraint("name", name="pk_models"),
    )


def _create_refused_callers() -> None:
    op.create_table(
        "refused_callers",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("calling_ae_title", sa.Text(), nullable=False),
        sa.Column("called_ae_title", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_at", _TIME, nullable=False),
        sa.Column("last_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_refused_callers"),
        sa.UniqueConstraint("calling_ae_title", "called_ae_title", "address", "reason", name="uq_refused_callers_who"),
    )
    op.create_index("ix_refused_callers_last_at", "refused_callers", ["last_at"])


def _create_studies() -> None:
    op.create_table(
        "studies",
        sa.Column("study_instance_uid", _UID, nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("issuer_of_patient_id", sa.Text(), nullable=False),
        sa.Column("patient_name", sa.Text(), nullable=False),
        sa.Column("patient_birth_date", sa.Text(), nullable=False),
        sa.Column("patient_sex", sa.Text(), nullable=False),
        sa.Column("accession_number", sa.Text(), nullable=False),
        sa.Column("study_date", sa.Text(), nullable=False),
        sa.Column("study_description", sa.Text(), nullable=False),
        sa.Column("first_received_at", _TIME, nullable=False),
        sa.Column("last_received_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("study_instance_uid", name="pk_studies"),
    )
    op.create_index("ix_studies_first_received_at", "studies", ["first_received_at"])


def _create_analyses() -> None:
    op.create_table(
        "analyses",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("study_instance_uid", _UID, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("outcome", _CHOICE, nullable=False),
        sa.Column("inputs_digest", sa.Text(), nullable=False),
        sa.Column("conclusion", sa.Text(), nullable=False),
        sa.Column("patient_key", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("predecessor_id", _NUMBER, nullable=True),
        sa.ForeignKeyConstraint(["predecessor_id"], ["analyses.id"], name="fk_analyses_predecessor_id_analyses"),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"], ["studies.study_instance_uid"], name="fk_analyses_study_instance_uid_studies"
        ),
        sa.CheckConstraint("outcome IN ('positive', 'negative', 'not_assessed')", name="ck_analyses_outcome"),
        sa.PrimaryKeyConstraint("id", name="pk_analyses"),
    )
    op.create_index("ix_analyses_study_instance_uid_model", "analyses", ["study_instance_uid", "model"])


def _create_instances() -> None:
    op.create_table(
        "instances",
        sa.Column("sop_instance_uid", _UID, nullable=False),
        sa.Column("study_instance_uid", _UID, nullable=False),
        sa.Column("series_instance_uid", sa.Text(), nullable=False),
        sa.Column("sop_class_uid", sa.Text(), nullable=False),
        sa.Column("transfer_syntax_uid", sa.Text(), nullable=False),
        sa.Column("kind", _CHOICE, nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("newest_path", sa.Text(), nullable=False),
        sa.Column("size_bytes", _NUMBER, nullable=False),
        sa.Column("header", sa.JSON(), nullable=False),
        sa.Column("turned_away", sa.JSON(), nullable=False),
        sa.Column("calling_ae_title", sa.Text(), nullable=False),
        sa.Column("called_ae_title", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"], ["studies.study_instance_uid"], name="fk_instances_study_instance_uid_studies"
        ),
        sa.CheckConstraint("kind IN ('image', 'own', 'other')", name="ck_instances_kind"),
        sa.PrimaryKeyConstraint("sop_instance_uid", name="pk_instances"),
    )
    op.create_index("ix_instances_study_instance_uid", "instances", ["study_instance_uid"])


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("kind", _CHOICE, nullable=False),
        sa.Column("subject_uid", _UID, nullable=False),
        sa.Column("study_instance_uid", _UID, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("again_due_at", _TIME, nullable=True),
        sa.Column("id", _NUMBER, nullable=False),
        *_lifecycle(),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"], ["studies.study_instance_uid"], name="fk_jobs_study_instance_uid_studies"
        ),
        sa.CheckConstraint("kind IN ('read', 'compose')", name="ck_jobs_kind"),
        sa.CheckConstraint("state IN ('waiting', 'running', 'done', 'buried', 'cancelled')", name="ck_jobs_state"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("kind", "subject_uid", "model", name="uq_jobs_kind_subject_uid_model"),
    )
    op.create_index("ix_jobs_state_priority_due_at_id", "jobs", ["state", "priority", "due_at", "id"])
    op.create_index(
        "ix_jobs_study_instance_uid_model_kind_state", "jobs", ["study_instance_uid", "model", "kind", "state"]
    )


def _create_instance_copies() -> None:
    op.create_table(
        "instance_copies",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("sop_instance_uid", _UID, nullable=False),
        sa.Column("kind", _CHOICE, nullable=False),
        sa.Column("transfer_syntax_uid", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_bytes", _NUMBER, nullable=False),
        sa.Column("header", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("calling_ae_title", sa.Text(), nullable=False),
        sa.Column("called_ae_title", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["sop_instance_uid"], ["instances.sop_instance_uid"], name="fk_instance_copies_sop_instance_uid_instances"
        ),
        sa.CheckConstraint("kind IN ('revision', 'quarantined')", name="ck_instance_copies_kind"),
        sa.PrimaryKeyConstraint("id", name="pk_instance_copies"),
    )
    op.create_index("ix_instance_copies_sop_instance_uid", "instance_copies", ["sop_instance_uid"])


def _create_readings() -> None:
    op.create_table(
        "readings",
        sa.Column("sop_instance_uid", _UID, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("study_instance_uid", _UID, nullable=False),
        sa.Column("reading", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sop_instance_uid"], ["instances.sop_instance_uid"], name="fk_readings_sop_instance_uid_instances"
        ),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"], ["studies.study_instance_uid"], name="fk_readings_study_instance_uid_studies"
        ),
        sa.PrimaryKeyConstraint("sop_instance_uid", "model", "version", name="pk_readings"),
    )
    op.create_index(
        "ix_readings_study_instance_uid_model_version", "readings", ["study_instance_uid", "model", "version"]
    )


def _create_renditions() -> None:
    op.create_table(
        "renditions",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("analysis_id", _NUMBER, nullable=False),
        sa.Column("sop_class_uid", _UID, nullable=False),
        sa.Column("sop_instance_uid", _UID, nullable=False),
        sa.Column("series_instance_uid", _UID, nullable=False),
        sa.Column("transfer_syntax_uid", _UID, nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("dataset", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["analysis_id"], ["analyses.id"], name="fk_renditions_analysis_id_analyses"),
        sa.PrimaryKeyConstraint("id", name="pk_renditions"),
        sa.UniqueConstraint("sop_instance_uid", name="uq_renditions_sop_instance_uid"),
    )
    op.create_index("ix_renditions_analysis_id", "renditions", ["analysis_id"])


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("analysis_id", _NUMBER, nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("rendition_id", _NUMBER, nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("id", _NUMBER, nullable=False),
        *_lifecycle(),
        sa.ForeignKeyConstraint(["analysis_id"], ["analyses.id"], name="fk_deliveries_analysis_id_analyses"),
        sa.ForeignKeyConstraint(["rendition_id"], ["renditions.id"], name="fk_deliveries_rendition_id_renditions"),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'buried', 'cancelled')", name="ck_deliveries_state"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("rendition_id", "peer", name="uq_deliveries_rendition_id_peer"),
    )
    op.create_index("ix_deliveries_analysis_id", "deliveries", ["analysis_id"])
    op.create_index("ix_deliveries_state_priority_due_at_id", "deliveries", ["state", "priority", "due_at", "id"])
