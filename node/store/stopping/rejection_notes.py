"""Rejection notes that came, and what of this node's work rests on what they take back.

A note is a row from the moment its instance is recorded, so that none is forgotten. What it names is kept whether it
is here or not: an image that comes after its note is not read.
"""

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from node.domain.lifecycle import State
from node.domain.rejection import Named, RejectionCode
from node.store.connection.driver_statement import Lookup, Statement
from node.store.connection.upsert import insert_for, insert_into
from node.store.database import Transaction
from node.store.tables.choices import JobKind
from node.store.tables.image_tables import Instance
from node.store.tables.operation_tables import Rejection, RejectionNote
from node.store.tables.result_tables import Analysis
from node.store.tables.work_tables import Job
from node.store.working import closing, work

_PRIORITY = 0
_LEASE_S = 60.0
_ATTEMPTS = 20  # a file that cannot be read for so long is gone
_WRONG = [code.value for code in RejectionCode if code.is_wrong]


@dataclass(frozen=True, slots=True)
class ClaimedNote(work.Claim):
    """A rejection note that this worker applies, with all that reading it needs."""

    sop_instance_uid: str
    path: str  #: relative to the data folder
    study_instance_uid: str
    calling_ae_title: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why an instance is rejected."""

    code: RejectionCode
    note_sop_instance_uid: str

    @property
    def said(self) -> str:
        """A few words for a listing."""
        return f"rejected: {self.code.meaning} ({self.code}), by the note {self.note_sop_instance_uid}"


def add_notes(tx: Transaction, sop_uids: Collection[str], now: datetime) -> None:
    """Let Key Object Selections that are recorded in this transaction be read; the same one twice is one."""
    fresh = work.fresh(now, _PRIORITY)
    _ADD.run(tx, [{"sop_instance_uid": uid, "code_value": ""} | fresh for uid in sop_uids])


def read_again(tx: Transaction, sop_uid: str, now: datetime) -> bool:
    """Let a Key Object Selection be read once more, because it says something else by now; False where it is none."""
    this = and_(RejectionNote.sop_instance_uid == sop_uid, RejectionNote.state != State.WAITING)
    back = work.put_back(tx, RejectionNote, this, now)
    tx.execute(update(RejectionNote).where(RejectionNote.id.in_(back)).values(last_error=""))
    return bool(back)


def claim_note(tx: Transaction, now: datetime, worker: str) -> ClaimedNote | None:
    """Take the next note that is to be read, or None."""
    work.rescue(tx, RejectionNote, now, _ATTEMPTS)
    waits = RejectionNote.state == State.WAITING
    taken = work.claim(tx, RejectionNote, waits, now, _LEASE_S, worker)
    return None if taken is None else _claimed(tx, taken)


def next_due(tx: Transaction) -> datetime | None:
    """Return when a note may next be read, or None where none waits."""
    return work.next_wake(tx, RejectionNote)


def settle(tx: Transaction, claimed: ClaimedNote, now: datetime, code: RejectionCode | None) -> bool:
    """Settle a note as read; False where the lease was lost, and nothing may be changed by it then."""
    return bool(work.finish(tx, RejectionNote, claimed, now, code_value=code or ""))


def look_again(tx: Transaction, claimed: ClaimedNote, at: datetime) -> bool:
    """Put a note back that is not done with yet; False where the lease was lost."""
    return work.release(tx, RejectionNote, claimed, at)


def fail(
    tx: Transaction, claimed: ClaimedNote, now: datetime, error: str, *, permanent: bool, jitter: random.Random
) -> State | None:
    """Settle a note as failed: tried again after a backoff, or buried; None where the lease was lost."""
    return work.fail(tx, RejectionNote, claimed, now, error, permanent=permanent, jitter=jitter)


def count_refused(tx: Transaction) -> int:
    """Return how many notes could not be read."""
    buried = select(func.count()).select_from(RejectionNote).where(RejectionNote.state == State.BURIED)
    return tx.execute(buried).scalar_one()


def rescue(tx: Transaction, now: datetime) -> None:
    """Take back all notes that are being read: for the start of a node, when no other worker can be alive."""
    work.rescue(tx, RejectionNote, now, _ATTEMPTS, everything=True)


def put(
    tx: Transaction, note_uid: str, code: RejectionCode, named: Collection[Named], caller: str, now: datetime
) -> bool:
    """Keep what a note names, and let nobody settle anything else of its studies before this transaction ends.

    The same twice is harmless. A note that was corrected adds to what it said: what was called wrong stays so.

    Parameters
    ----------
    tx
        The transaction that also cancels what rests on it.
    note_uid
        SOP Instance UID of the note.
    code
        Its title.
    named
        The instances; of one that is held, its own study counts.
    caller
        Calling AE title of who sent it.
    now
        Aware.

    Returns
    -------
    bool
        Whether that is new.
    """
    held = dict(_STUDIES.rows(tx, list(dict.fromkeys(one.sop_instance_uid for one in named))))
    for study in sorted(set(held.values())):
        closing.lock(tx, study)  # a result that is being settled is seen, or sees this
    known = _said_by(tx, note_uid)
    fresh = {one.sop_instance_uid: one for one in named if _adds(code, known.get(one.sop_instance_uid))}
    if not fresh:
        return False
    same: dict[str, Any] = {"code_value": code.value, "calling_ae_title": caller, "rejected_at": now}
    same |= {"after_analysis": tx.scalar(select(func.max(Analysis.id))) or 0, "undone_at": None, "undone_by": ""}
    same |= {"note_sop_instance_uid": note_uid}
    studies = {uid: held.get(uid, one.study_instance_uid) for uid, one in fresh.items()}
    once = ["sop_instance_uid", "note_sop_instance_uid"]
    put = insert_into(tx, Rejection).on_conflict_do_update(index_elements=once, set_=same)
    tx.execute(put, [same | {"sop_instance_uid": uid, "study_instance_uid": study} for uid, study in studies.items()])
    return True


def wrong_of(tx: Transaction, study_uid: str) -> frozenset[str]:
    """Return the stored instances of a study that were called wrong."""
    of_study = select(Instance.sop_instance_uid).where(Instance.study_instance_uid == study_uid)
    return frozenset(tx.scalars(of_study.where(~not_wrong())))


def wrong_among(tx: Transaction, sop_uids: Collection[str]) -> Mapping[str, Rejected]:
    """Return what must not be read of these UIDs, stored or not, and why; those removed for their age may be."""
    if not sop_uids:
        return {}
    columns = Rejection.sop_instance_uid, Rejection.code_value, Rejection.note_sop_instance_uid
    wrong = and_(Rejection.sop_instance_uid.in_(sop_uids), calls_wrong())
    found = tx.execute(select(*columns).where(wrong).order_by(Rejection.id))
    return {uid: Rejected(RejectionCode(code), note) for uid, code, note in found}


def is_removed(tx: Transaction, sop_uid: str) -> bool:
    """Return whether a stored instance was called removed for its age, and has not come again since."""
    expired = Rejection.code_value == RejectionCode.RETENTION.value, Rejection.undone_at.is_(None)
    of_this = and_(Rejection.sop_instance_uid == sop_uid, *expired)
    return tx.scalar(select(Rejection.id).where(of_this).limit(1)) is not None


def restore(tx: Transaction, sop_uid: str) -> bool:
    """Forget that an instance was removed for its age, because it has come again; return whether it was."""
    expired = and_(Rejection.sop_instance_uid == sop_uid, Rejection.code_value == RejectionCode.RETENTION.value)
    was = tx.scalars(select(Rejection).where(expired)).all()
    for row in was:
        tx.delete(row)
    return bool(was)


def not_rejected() -> ColumnElement[bool]:
    """Return the condition for stored instances that are not rejected; its query names `Instance`.

    Those that were removed for their age are rejected until they come again: they are not read any more, but what was
    read of them is as true as before (`not_wrong`).
    """
    return ~exists().where(Rejection.sop_instance_uid == Instance.sop_instance_uid, counts()).correlate(Instance)


def not_wrong() -> ColumnElement[bool]:
    """Return the condition for stored instances that nobody called wrong; its query names `Instance`."""
    names = Rejection.sop_instance_uid == Instance.sop_instance_uid
    return ~exists().where(names, calls_wrong()).correlate(Instance)


def calls_wrong() -> ColumnElement[bool]:
    """Return the condition for a `Rejection` to call what it names wrong, and not to have been undone."""
    return and_(Rejection.code_value.in_(_WRONG), Rejection.undone_at.is_(None))


def counts() -> ColumnElement[bool]:
    """Return the condition for a `Rejection` to count for the `Instance` that it names."""
    removed = Rejection.rejected_at >= Instance.received_at  # what comes after such a note was restored
    return and_(or_(Rejection.code_value.in_(_WRONG), removed), Rejection.undone_at.is_(None))


def rests_on_rejected() -> ColumnElement[bool]:
    """Return the condition for analyses that were made from an image which has been called wrong since.

    Which images an analysis holds stands in its digest alone; every image that its model was to read and that was here
    when it was made counts as one of them. What came first is told by the numbers of rows: a clock may be set back.
    """
    return _rests_on(calls_wrong())


def _rests_on(which: ColumnElement[bool]) -> ColumnElement[bool]:
    read = aliased(Job)
    was_there = and_(
        read.kind == JobKind.READ,
        read.subject_uid == Rejection.sop_instance_uid,
        read.model == Analysis.model,
        read.study_instance_uid == Analysis.study_instance_uid,
        read.id <= Analysis.last_read_id,
    )
    return exists().where(was_there, Rejection.after_analysis >= Analysis.id, which).correlate(Analysis)


def is_untrue(tx: Transaction, analysis_id: int) -> bool:
    """Return whether an analysis rests on an image that was called wrong since."""
    return tx.scalar(_UNTRUE, {"analysis": analysis_id}) is not None


# asked twice for each report that leaves: building the statement takes ten times as long as running it
_UNTRUE = select(Analysis.id).where(Analysis.id == bindparam("analysis"), rests_on_rejected())


def was_untrue(tx: Transaction, analysis_id: int) -> bool:
    """Return the same, also where that was undone."""
    ever = _rests_on(Rejection.code_value.in_(_WRONG))
    return tx.scalar(select(Analysis.id).where(Analysis.id == analysis_id, ever)) is not None


def code_for(tx: Transaction, study_uid: str) -> RejectionCode:
    """Return the title under which this node's reports of a study are taken back: that of the latest note."""
    latest = (
        select(Rejection.code_value)
        .join(Instance, Instance.sop_instance_uid == Rejection.sop_instance_uid)
        .where(Instance.study_instance_uid == study_uid, calls_wrong())
        .order_by(Rejection.id.desc())
        .limit(1)
    )
    return RejectionCode(tx.execute(latest).scalar_one())


def _said_by(tx: Transaction, note_uid: str) -> dict[str, RejectionCode]:
    """Return what a note has said of which instance already, and nobody has undone."""
    said = select(Rejection.sop_instance_uid, Rejection.code_value).where(
        Rejection.note_sop_instance_uid == note_uid, Rejection.undone_at.is_(None)
    )
    return {uid: RejectionCode(code) for uid, code in tx.execute(said)}


def _adds(code: RejectionCode, known: RejectionCode | None) -> bool:
    """Return whether a title says something of an instance that the same note has not said yet, or says it sharper."""
    return known is None or (known is not code and code.is_wrong)


def _claimed(tx: Transaction, identity: int) -> ClaimedNote:
    note = tx.get_one(RejectionNote, identity, populate_existing=True)
    instance = tx.get_one(Instance, note.sop_instance_uid)
    return ClaimedNote(
        id=note.id,
        attempt=note.attempt,
        failures=note.failures,
        max_attempts=_ATTEMPTS,
        lease_until=work.lease_end(note),
        last_error=note.last_error,
        sop_instance_uid=note.sop_instance_uid,
        path=instance.newest_path,
        study_instance_uid=instance.study_instance_uid,
        calling_ae_title=instance.calling_ae_title,
    )


_ADD = Statement(
    lambda dialect: insert_for(dialect, RejectionNote).on_conflict_do_nothing(),
    ("sop_instance_uid", "code_value", *work.FRESH),
)
_STUDIES = Lookup(
    lambda among: select(Instance.sop_instance_uid, Instance.study_instance_uid).where(among(Instance.sop_instance_uid))
)
