"""Labels: the objects that they come in, each reader's word, and the images that readers left out.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_STATES = "state IN ('waiting', 'running', 'done', 'buried', 'cancelled', 'held')"
_VERDICTS = "verdict IN ('unread', 'labelled', 'excluded', 'unmapped', 'ignored', 'dismissed')"
_SOURCES = "source_kind IN ('key_object', 'report', 'csv', 'operator')"
_RULES = "rule IN ('finding_code', 'finding_text', 'assessment', 'key_object_text', 'title', 'row', 'operator')"
_ONCE = [
    "source_uid",
    "study_instance_uid",
    "series_instance_uid",
    "sop_instance_uid",
    "accession_number",
    "class_name",
]

# what was stored before is read, too: Key Object Selections and the SRs that persons make
_STORED = """
INSERT INTO label_objects (
    sop_instance_uid, study_instance_uid, verdict, reason, said, reader, images, settled_by,
    state, priority, due_at, attempt, failures, lapses, worker, last_error
)
SELECT sop_instance_uid, study_instance_uid, 'unread', '', '', '', '[]', '',
    'waiting', 0, received_at, 0, 0, 0, '', ''
FROM instances WHERE kind = 'other' AND removed_at IS NULL AND sop_class_uid IN (
    '1.2.840.10008.5.1.4.1.1.88.59', '1.2.840.10008.5.1.4.1.1.88.11', '1.2.840.10008.5.1.4.1.1.88.22',
    '1.2.840.10008.5.1.4.1.1.88.33', '1.2.840.10008.5.1.4.1.1.88.34', '1.2.840.10008.5.1.4.1.1.88.35'
)
"""


def upgrade() -> None:
    """Add the tables; what is stored already waits to be read."""
    _create_objects()
    _create_labels()
    op.create_table(
        "label_exclusions",
        sa.Column("id", _NUMBER, nullable=False),
        _uid("sop_instance_uid"),
        _uid("source_uid"),
        _text("reader"),
        sa.Column("excluded_at", _TIME, nullable=False),
        sa.Column("withdrawn_at", _TIME, nullable=True),
        _text("withdrawn_by"),
        sa.UniqueConstraint("sop_instance_uid", "source_uid", name="uq_label_exclusions_sop_instance_uid_source_uid"),
        sa.PrimaryKeyConstraint("id", name="pk_label_exclusions"),
    )
    op.create_index("ix_label_exclusions_source_uid", "label_exclusions", ["source_uid"])
    op.execute(sa.text(_STORED))


def _create_objects() -> None:
    op.create_table(
        "label_objects",
        sa.Column("id", _NUMBER, nullable=False),
        _uid("sop_instance_uid"),
        _uid("study_instance_uid"),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        *(_text(name) for name in ("reason", "said", "reader")),
        sa.Column("made_at", _TIME, nullable=True),
        sa.Column("images", sa.JSON(), nullable=False),
        _text("settled_by"),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("attempt", "failures", "lapses")),
        sa.Column("lease_until", _TIME, nullable=True),
        *(_text(name) for name in ("worker", "last_error")),
        sa.Column("settled_at", _TIME, nullable=True),
        sa.CheckConstraint(_STATES, name="ck_label_objects_state"),
        sa.CheckConstraint(_VERDICTS, name="ck_label_objects_verdict"),
        sa.UniqueConstraint("sop_instance_uid", name="uq_label_objects_sop_instance_uid"),
        sa.PrimaryKeyConstraint("id", name="pk_label_objects"),
    )
    op.create_index("ix_label_objects_state_priority_due_at_id", "label_objects", ["state", "priority", "due_at", "id"])
    op.create_index("ix_label_objects_study_instance_uid", "label_objects", ["study_instance_uid"])


def _create_labels() -> None:
    op.create_table(
        "labels",
        sa.Column("id", _NUMBER, nullable=False),
        *(_uid(name) for name in ("study_instance_uid", "series_instance_uid", "sop_instance_uid")),
        *(_text(name) for name in ("accession_number", "class_name")),
        sa.Column("present", sa.Boolean(), nullable=False),
        _text("reader"),
        *(sa.Column(name, _TIME, nullable=False) for name in ("made_at", "recorded_at")),
        _uid("source_uid"),
        *(sa.Column(name, sa.String(length=16), nullable=False) for name in ("source_kind", "rule")),
        sa.Column("result_visible", sa.Boolean(), nullable=True),
        *(_text(name) for name in ("patient_id", "issuer_of_patient_id", "recorded_by")),
        sa.Column("withdrawn_at", _TIME, nullable=True),
        _text("withdrawn_by"),
        sa.CheckConstraint(_SOURCES, name="ck_labels_source_kind"),
        sa.CheckConstraint(_RULES, name="ck_labels_rule"),
        sa.PrimaryKeyConstraint("id", name="pk_labels"),
    )
    counts = sa.text("withdrawn_at IS NULL")
    op.create_index("ix_labels_once", "labels", _ONCE, unique=True, sqlite_where=counts, postgresql_where=counts)
    for name in ("study_instance_uid", "series_instance_uid", "sop_instance_uid", "accession_number"):
        op.create_index(f"ix_labels_{name}", "labels", [name])


def downgrade() -> None:
    """Take them away; all labels are forgotten."""
    op.drop_table("label_exclusions")
    op.drop_table("labels")
    op.drop_table("label_objects")


def _uid(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=64), nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)
