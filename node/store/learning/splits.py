"""Sides of patients, assigned once and for ever, and the salt that they follow from.

The salt stands in the database, so that every node on it, and a backup of it, has the same. Who a patient is after
merges, callers know (`node.store.arriving.merges`); here a patient is a pseudonym.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from node.domain.split import Side, pseudonym, side_of
from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.tables.learning_tables import LearningPatient, LearningSalt

_ONLY = 1


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a patient stands."""

    patient: str  #: pseudonym
    side: Side
    group: str  #: the same for patients whose images show one picture
    assigned_at: datetime
    left_out: str  #: why nothing of the patient is used; "" where it is


def mint(tx: Transaction, salt: str, now: datetime) -> bytes:
    """Return the salt; the one that is given becomes it where there is none yet.

    Parameters
    ----------
    tx
        The transaction.
    salt
        64 hexadecimal digits of a source that nobody can guess.
    now
        Aware.
    """
    row = insert_into(tx, LearningSalt).values(id=_ONLY, salt=salt, minted_at=now)
    tx.execute(row.on_conflict_do_nothing())
    return bytes.fromhex(tx.scalars(select(LearningSalt.salt).where(LearningSalt.id == _ONLY)).one())


def salt_of(tx: Transaction) -> bytes | None:
    """Return the salt, or None where none was minted yet."""
    found = tx.scalar(select(LearningSalt.salt).where(LearningSalt.id == _ONLY))
    return None if found is None else bytes.fromhex(found)


def patient_of(salt: bytes, issuer: str, patient_id: str) -> str:
    """Return the pseudonym of a patient."""
    return pseudonym(salt, "patient", issuer, patient_id)


def image_of(salt: bytes, sop_uid: str) -> str:
    """Return the pseudonym of an image."""
    return pseudonym(salt, "image", sop_uid)


def get(tx: Transaction, patient: str) -> Placed | None:
    """Return where a patient stands, or None where that was never assigned."""
    row = tx.get(LearningPatient, patient, populate_existing=True)
    return None if row is None else _placed(row)


def all(tx: Transaction) -> dict[str, Placed]:  # noqa: A001 - read as splits.all
    """Return all patients that were assigned a side, by pseudonym."""
    return {row.patient: _placed(row) for row in tx.scalars(select(LearningPatient))}


def assign(tx: Transaction, patient: str, chosen: Side, group: str, now: datetime) -> Placed:
    """Assign a side; what was assigned before stands."""
    row = insert_into(tx, LearningPatient).values(patient=patient, side=chosen, group_name=group, assigned_at=now)
    tx.execute(row.on_conflict_do_nothing())
    return _placed(tx.get_one(LearningPatient, patient, populate_existing=True))


def join(tx: Transaction, groups: Collection[str], into: str) -> None:
    """Let the patients of some groups be of one."""
    of_groups = update(LearningPatient).where(LearningPatient.group_name.in_(groups))
    tx.execute(of_groups.values(group_name=into), execution_options={"synchronize_session": False})


def leave_out(tx: Transaction, patients: Mapping[str, str]) -> None:
    """Use nothing of some patients any more, each with why; the first reason stands."""
    for patient, reason in patients.items():
        still_used = update(LearningPatient).where(LearningPatient.patient == patient, LearningPatient.left_out == "")
        tx.execute(still_used.values(left_out=reason), execution_options={"synchronize_session": False})


def bar(tx: Transaction, pseudonyms: Collection[str], reason: str, now: datetime) -> None:
    """Use nothing of some patients or images for ever, whether they were seen here or not; this reason stands."""
    salt = salt_of(tx) or b""
    rows = [
        {"patient": one, "side": side_of(salt, one), "group_name": one, "assigned_at": now, "left_out": reason}
        for one in sorted(pseudonyms)
    ]
    if rows:
        row = insert_into(tx, LearningPatient)
        once = row.on_conflict_do_update(index_elements=["patient"], set_={"left_out": reason})
        tx.execute(once, rows)


def barred(tx: Transaction, reason: str) -> set[str]:
    """Return of whom nothing is used for this reason."""
    return set(tx.scalars(select(LearningPatient.patient).where(LearningPatient.left_out == reason)))


def _placed(row: LearningPatient) -> Placed:
    return Placed(row.patient, row.side, row.group_name, row.assigned_at, row.left_out)
