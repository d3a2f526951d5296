"""Rejections and results are ordered without a clock; merges and rejections that ended stay on record.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_ONE_MERGE = "uq_patient_merges_patient_id_issuer_of_patient_id"
_IN_FORCE = "ix_patient_merges_in_force"
_PATIENT = ["patient_id", "issuer_of_patient_id"]

_LAST_READ = """
UPDATE analyses SET last_read_id = coalesce((
    SELECT max(jobs.id) FROM jobs JOIN instances ON instances.sop_instance_uid = jobs.subject_uid
    WHERE jobs.kind = 'read' AND jobs.model = analyses.model
    AND jobs.study_instance_uid = analyses.study_instance_uid AND instances.received_at <= analyses.created_at
), 0)
"""
_AFTER_ANALYSIS = """
UPDATE {table} SET after_analysis = coalesce((
    SELECT max(analyses.id) FROM analyses WHERE analyses.created_at <= {table}.{at}
), 0)
"""


def upgrade() -> None:
    """Add the columns; what is held already is ordered by its times, as before."""
    op.add_column("analyses", _number("last_read_id"))
    op.execute(sa.text(_LAST_READ))
    op.add_column("rejections", _number("after_analysis"))
    op.add_column("rejections", sa.Column("undone_at", _TIME, nullable=True))
    op.add_column("rejections", sa.Column("undone_by", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.execute(sa.text(_AFTER_ANALYSIS.format(table="rejections", at="rejected_at")))
    with op.batch_alter_table("patient_merges") as merges:
        merges.drop_constraint(_ONE_MERGE, type_="unique")
        merges.add_column(_number("after_analysis"))
        merges.add_column(sa.Column("ended_at", _TIME, nullable=True))
        merges.add_column(sa.Column("ended_by", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.execute(sa.text(_AFTER_ANALYSIS.format(table="patient_merges", at="merged_at")))
    in_force = sa.text("ended_at IS NULL")
    op.create_index(
        _IN_FORCE, "patient_merges", _PATIENT, unique=True, sqlite_where=in_force, postgresql_where=in_force
    )


def downgrade() -> None:
    """Take them away; merges that have ended are forgotten, and rejections that were undone count again."""
    op.drop_index(_IN_FORCE, "patient_merges")
    op.execute(sa.text("DELETE FROM patient_merges WHERE ended_at IS NOT NULL"))
    with op.batch_alter_table("patient_merges") as merges:
        for name in ("after_analysis", "ended_at", "ended_by"):
            merges.drop_column(name)
        merges.create_unique_constraint(_ONE_MERGE, _PATIENT)
    for name in ("after_analysis", "undone_at", "undone_by"):
        op.drop_column("rejections", name)
    op.drop_column("analyses", "last_read_id")


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, _NUMBER, nullable=False, server_default=sa.text("0"))
