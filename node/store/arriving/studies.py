"""Studies as their instances tell of them: whose they are, and when something came."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Integer, ScalarSelect, and_, bindparam, case, or_, select

from node.domain.instance import InstanceHeader
from node.store.connection.driver_statement import Statement
from node.store.connection.upsert import Insert, insert_for
from node.store.database import Transaction
from node.store.tables.choices import Origin
from node.store.tables.column_types import UID, UTCDateTime
from node.store.tables.image_tables import Study

_LONGEST_TO_COMMIT = timedelta(hours=1)

_IDENTITY = (
    "patient_id",
    "issuer_of_patient_id",
    "patient_name",
    "patient_birth_date",
    "patient_sex",
    "accession_number",
    "study_date",
    "study_description",
)


def row(header: InstanceHeader) -> dict[str, Any]:
    """Return what a header says of its study, by column; somebody sent it, unless its caller knows better."""
    return {name: getattr(header, name) for name in ("study_instance_uid", *_IDENTITY)} | {"origin": Origin.LIVE}


def put_all(tx: Transaction, studies: Sequence[dict[str, Any]]) -> None:
    """Write studies of which something came.

    Parameters
    ----------
    tx
        The transaction.
    studies
        Each a `row` with `first_received_at`, `last_received_at` and `headers`, how many images came; no study twice.
        Where there are some the study is then who this row says, and its time moves on, never back (but where a clock
        was ahead); and what somebody sent is live from then on, whatever was fetched before.
        Otherwise a study that is known stays as it is. They are
        written in the order of their UIDs, so that two processes that write the same ones wait for each other and
        never in a circle.
    """
    in_order = sorted(studies, key=lambda study: study["study_instance_uid"])
    _MOVE.run(tx, [_moving(study) for study in in_order if study["last_received_at"] is not None])
    _ADD.run(tx, [study for study in in_order if study["last_received_at"] is None])


def origin(tx: Transaction, study_uid: str) -> Origin:
    """Return how a study came to be here."""
    return tx.execute(select(Study.origin).where(Study.study_instance_uid == study_uid)).scalar_one()


def header_number() -> ScalarSelect[int]:
    """Return the number of a header that a study has counted.

    The study is given as the parameter ``of_study``, and as ``before_last`` how many it has counted since.
    """
    this = Study.study_instance_uid == bindparam("of_study", type_=UID)
    return select(Study.headers - bindparam("before_last", type_=Integer)).where(this).scalar_subquery()


def _moving(study: dict[str, Any]) -> dict[str, Any]:
    return study | {"believed": study["last_received_at"] + _LONGEST_TO_COMMIT}


def _moved(insert: Insert) -> Insert:
    arrived = insert.excluded.last_received_at
    # two receivers may commit in the other order than they took the time; what lies further ahead, no clock was right
    is_later = and_(Study.last_received_at > arrived, Study.last_received_at < bindparam("believed", type_=UTCDateTime))
    later = case((is_later, Study.last_received_at), else_=arrived)
    newest = {name: insert.excluded[name] for name in _IDENTITY}
    # of a study that holds no image yet, the first image says how it came
    says = or_(insert.excluded.origin == Origin.LIVE, Study.last_received_at.is_(None))
    origin = case((says, insert.excluded.origin), else_=Study.origin)
    return insert.on_conflict_do_update(
        index_elements=["study_instance_uid"],
        set_=newest | {"last_received_at": later, "origin": origin, "headers": Study.headers + insert.excluded.headers},
    )


_COLUMNS = ("study_instance_uid", *_IDENTITY, "first_received_at", "last_received_at", "origin", "headers")
_MOVE = Statement(lambda dialect: _moved(insert_for(dialect, Study)), _COLUMNS)
_ADD = Statement(lambda dialect: insert_for(dialect, Study).on_conflict_do_nothing(), _COLUMNS)
