"""What running needs: completion signals, holds, rejections, storage commitment, backfill, merges and approvals.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_UID = sa.String(length=64)
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_CHOICE = sa.String(length=16)
_BEFORE = "state IN ('waiting', 'running', 'done', 'buried', 'cancelled')"
_AFTER = "state IN ('waiting', 'running', 'done', 'buried', 'cancelled', 'held')"

_TABLES = (
    "holds",
    "rejections",
    "patient_merges",
    "validations",
    "destinations",
    "sender_habits",
    "commitments_asked",
    "commitments_requested",
    "backfills",
    "backfill_studies",
)


def upgrade() -> None:
    """Add columns and tables; SQLite makes a table anew where a CHECK changes."""
    _extend_studies()
    op.add_column("instances", sa.Column("removed_at", _TIME, nullable=True))
    _extend_jobs()
    _extend_deliveries()
    _create_decisions()
    _create_peers()
    _create_commitments()
    _create_backfills()


def downgrade() -> None:
    """Take them away; a delivery that was held is buried, with its reason."""
    for table in reversed(_TABLES):
        op.drop_table(table)
    for table in ("deliveries", "jobs"):
        op.execute(sa.text(f"UPDATE {table} SET state = 'buried' WHERE state = 'held'"))  # noqa: S608 - two known names
    _shrink_deliveries()
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_constraint("ck_jobs_state", type_="check")
        jobs.create_check_constraint("ck_jobs_state", sa.text(_BEFORE))
        jobs.drop_column("signal")
    op.drop_column("instances", "removed_at")
    with op.batch_alter_table("studies") as studies:
        studies.drop_constraint("ck_studies_origin", type_="check")
        for column in ("origin", "closed_at", "closed_by"):
            studies.drop_column(column)


def _extend_studies() -> None:
    with op.batch_alter_table("studies") as studies:
        studies.add_column(sa.Column("closed_by", sa.Text(), server_default="", nullable=False))
        studies.add_column(sa.Column("closed_at", _TIME, nullable=True))
        studies.add_column(sa.Column("origin", _CHOICE, server_default="live", nullable=False))
        studies.create_check_constraint("ck_studies_origin", sa.text("origin IN ('live', 'backfill')"))


def _extend_jobs() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_constraint("ck_jobs_state", type_="check")
        jobs.create_check_constraint("ck_jobs_state", sa.text(_AFTER))
        jobs.add_column(sa.Column("signal", sa.Text(), server_default="", nullable=False))


def _extend_deliveries() -> None:
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.drop_constraint("ck_deliveries_state", type_="check")
        deliveries.create_check_constraint("ck_deliveries_state", sa.text(_AFTER))
        deliveries.add_column(sa.Column("kind", _CHOICE, server_default="report", nullable=False))
        deliveries.add_column(sa.Column("last_comment", sa.Text(), server_default="", nullable=False))
        deliveries.add_column(sa.Column("sent_at", _TIME, nullable=True))
        deliveries.add_column(sa.Column("released_at", _TIME, nullable=True))
        deliveries.add_column(sa.Column("commitment", _CHOICE, server_default="none", nullable=False))
        deliveries.add_column(sa.Column("commitment_id", _NUMBER, nullable=True))
        deliveries.create_check_constraint("ck_deliveries_kind", sa.text("kind IN ('report', 'rejection_note')"))
        deliveries.create_check_constraint(
            "ck_deliveries_commitment", sa.text("commitment IN ('none', 'asked', 'committed', 'failed')")
        )
    op.create_index("ix_deliveries_commitment_id", "deliveries", ["commitment_id"])
    # when a report was sent stands in its settlement, where it is done
    op.execute(sa.text("UPDATE deliveries SET sent_at = settled_at WHERE state = 'done'"))


def _shrink_deliveries() -> None:
    op.drop_index("ix_deliveries_commitment_id", "deliveries")
    op.execute(sa.text("DELETE FROM deliveries WHERE kind = 'rejection_note'"))
    with op.batch_alter_table("deliveries") as deliveries:
        for constraint in ("kind", "commitment", "state"):
            deliveries.drop_constraint(f"ck_deliveries_{constraint}", type_="check")
        deliveries.create_check_constraint("ck_deliveries_state", sa.text(_BEFORE))
        for column in ("kind", "last_comment", "sent_at", "released_at", "commitment", "commitment_id"):
            deliveries.drop_column(column)


def _lifecycle(table: str) -> list[sa.Column | sa.CheckConstraint]:
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
        sa.CheckConstraint(_AFTER, name=f"ck_{table}_state"),
    ]


def _numbered(table: str, *columns: sa.Column | sa.Constraint) -> None:
    key = sa.PrimaryKeyConstraint("id", name=f"pk_{table}")
    op.create_table(table, sa.Column("id", _NUMBER, nullable=False), *columns, key)


def _texts(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _create_decisions() -> None:
    _numbered(
        "holds",
        *_texts("model", "reason", "held_by"),
        sa.Column("held_at", _TIME, nullable=False),
        sa.Column("released_at", _TIME, nullable=True),
        *_texts("released_by", "released_how"),
    )
    _numbered(
        "rejections",
        sa.Column("sop_instance_uid", _UID, nullable=False),
        sa.Column("study_instance_uid", _UID, nullable=False),
        *_texts("code_value"),
        sa.Column("note_sop_instance_uid", _UID, nullable=False),
        *_texts("calling_ae_title"),
        sa.Column("rejected_at", _TIME, nullable=False),
        sa.UniqueConstraint(
            "sop_instance_uid", "note_sop_instance_uid", name="uq_rejections_sop_instance_uid_note_sop_instance_uid"
        ),
    )
    op.create_index("ix_rejections_sop_instance_uid", "rejections", ["sop_instance_uid"])
    op.create_index("ix_rejections_study_instance_uid", "rejections", ["study_instance_uid"])
    _numbered(
        "patient_merges",
        *_texts("patient_id", "issuer_of_patient_id", "into_patient_id", "into_issuer_of_patient_id", "merged_by"),
        sa.Column("merged_at", _TIME, nullable=False),
        sa.UniqueConstraint(
            "patient_id", "issuer_of_patient_id", name="uq_patient_merges_patient_id_issuer_of_patient_id"
        ),
    )
    _numbered(
        "validations",
        *_texts("model", "version", "approved_by"),
        sa.Column("approved_at", _TIME, nullable=False),
        *_texts("page_digest"),
        sa.Column("figures", sa.JSON(), nullable=False),
    )


def _create_peers() -> None:
    op.create_table(
        "destinations",
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", _TIME, nullable=True),
        *_texts("last_error"),
        sa.Column("last_failure_at", _TIME, nullable=True),
        sa.Column("last_success_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("peer", name="pk_destinations"),
    )
    op.create_table(
        "sender_habits",
        sa.Column("calling_ae_title", sa.Text(), nullable=False),
        sa.Column("gaps_s", sa.JSON(), nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("calling_ae_title", name="pk_sender_habits"),
    )


def _create_commitments() -> None:
    _numbered(
        "commitments_asked",
        *_texts("peer"),
        sa.Column("transaction_uid", _UID, nullable=False),
        sa.Column("asked_at", _TIME, nullable=True),
        sa.Column("answered_at", _TIME, nullable=True),
        *_lifecycle("commitments_asked"),
        sa.UniqueConstraint("transaction_uid", name="uq_commitments_asked_transaction_uid"),
    )
    _numbered(
        "commitments_requested",
        *_texts("calling_ae_title", "address"),
        sa.Column("transaction_uid", _UID, nullable=False),
        sa.Column("instances", sa.JSON(), nullable=False),
        sa.Column("requested_at", _TIME, nullable=False),
        *_lifecycle("commitments_requested"),
        sa.UniqueConstraint(
            "calling_ae_title", "transaction_uid", name="uq_commitments_requested_calling_ae_title_transaction_uid"
        ),
    )


def _create_backfills() -> None:
    _numbered(
        "backfills",
        *_texts("peer"),
        sa.Column("query", sa.JSON(), nullable=False),
        sa.Column("sends", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("searched_at", _TIME, nullable=True),
        sa.Column("ended_at", _TIME, nullable=True),
    )
    _numbered(
        "backfill_studies",
        sa.Column("backfill_id", _NUMBER, nullable=False),
        sa.Column("study_instance_uid", _UID, nullable=False),
        sa.Column("expected", sa.Integer(), nullable=True),
        sa.Column("fetched", sa.Integer(), nullable=True),
        *_lifecycle("backfill_studies"),
        sa.UniqueConstraint(
            "backfill_id", "study_instance_uid", name="uq_backfill_studies_backfill_id_study_instance_uid"
        ),
    )
    op.create_index("ix_backfill_studies_backfill_id", "backfill_studies", ["backfill_id"])
    op.create_index("ix_backfill_studies_study_instance_uid", "backfill_studies", ["study_instance_uid"])
