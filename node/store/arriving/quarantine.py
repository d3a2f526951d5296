"""Copies that contradict a held instance, and what an operator's decision makes of one.

It moves rows; the files are its callers' business.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from node.domain.instance import InstanceHeader
from node.domain.lifecycle import State
from node.store.arriving import instances
from node.store.codec import header_from_json
from node.store.database import Transaction
from node.store.tables.choices import CopyKind, JobKind
from node.store.tables.image_tables import Instance, InstanceCopy
from node.store.tables.work_tables import Job
from node.store.working import findings, queue

FORMER = "an operator let another copy take its place"
"""Why a copy is kept that once counted."""

_EACH = ("transfer_syntax_uid", "path", "size_bytes", "header", "calling_ae_title", "called_ae_title", "address")
_UNSEEN = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A copy in the quarantine, and what it contradicts."""

    id: int
    header: InstanceHeader
    path: str  #: of its file, relative to the data folder
    size_bytes: int
    transfer_syntax_uid: str
    reason: str
    calling_ae_title: str
    address: str
    received_at: datetime
    held_study_uid: str  #: the study of the instance that counts
    held_path: str  #: and its file


def listed(tx: Transaction) -> list[Quarantined]:
    """Return the copies in the quarantine, the latest first."""
    return [_quarantined(copy, held) for copy, held in tx.execute(_rows().order_by(InstanceCopy.id.desc())).all()]


def find(tx: Transaction, number: int) -> Quarantined | None:
    """Return a copy, or None where none of this number is in the quarantine."""
    found = tx.execute(_rows().where(InstanceCopy.id == number)).one_or_none()
    return None if found is None else _quarantined(*found)


def accept(tx: Transaction, copy: Quarantined, path: str, now: datetime, *, keeps_former: bool) -> list[str] | None:
    """Let a copy take the place of the first one: it is read again, and its studies are composed again.

    Parameters
    ----------
    tx
        The transaction.
    copy
        As `find` has returned it.
    path
        Of its file, at the place that it has by now.
    now
        When the work is due.
    keeps_former
        Whether the file of the first copy is there: then its row takes this one's place.

    Returns
    -------
    list of str
        The studies that it concerned and concerns; None, and nothing changed, where it is in the quarantine no more.
    """
    uid = copy.header.sop_instance_uid
    held = tx.get_one(Instance, uid, populate_existing=True, with_for_update=True)
    if find(tx, copy.id) is None:
        return None
    before = held.study_instance_uid
    new = tx.get_one(InstanceCopy, copy.id)
    first = {name: getattr(held, name) for name in (*_EACH, "received_at")}
    taken = {name: getattr(new, name) for name in _EACH} | {"path": path}
    taken.pop("header")  # the one that counts is written as such, with all that follows from it
    _settle(tx, copy.id, first if keeps_former else None)
    tx.execute(update(Instance).where(Instance.sop_instance_uid == uid).values(**taken), execution_options=_UNSEEN)
    tx.expire(held)
    instances.update_header(tx, uid, copy.header, path=path)
    studies = list(dict.fromkeys((before, copy.header.study_instance_uid)))
    _read_again(tx, uid, studies, now)
    return studies


def discard(tx: Transaction, copy: Quarantined) -> bool:
    """Forget a copy; False where it is in the quarantine no more."""
    tx.get_one(Instance, copy.header.sop_instance_uid, populate_existing=True, with_for_update=True)
    if find(tx, copy.id) is None:
        return False
    _settle(tx, copy.id, None)
    return True


def _settle(tx: Transaction, number: int, former: dict[str, Any] | None) -> None:
    """Let the row of a copy be that of the former first one, or be gone."""
    if former is None:
        tx.execute(delete(InstanceCopy).where(InstanceCopy.id == number), execution_options=_UNSEEN)
        return
    values = former | {"kind": CopyKind.REVISION, "reason": FORMER}
    tx.execute(update(InstanceCopy).where(InstanceCopy.id == number).values(**values), execution_options=_UNSEEN)


def _read_again(tx: Transaction, uid: str, studies: list[str], now: datetime) -> None:
    reads = Job.kind == JobKind.READ, Job.subject_uid == uid
    # one that runs has the former pixels in hand: it is done once more
    running = update(Job).where(*reads, Job.state == State.RUNNING).values(again_due_at=now)
    tx.execute(running, execution_options=_UNSEEN)
    findings.read_again(tx, uid, studies[-1], now)
    models = tx.scalars(select(Job.model).where(*reads)).all()
    queue.schedule_composes(tx, {(study, model): now for study in studies for model in models})


def _rows() -> Any:
    of_instance = InstanceCopy.sop_instance_uid == Instance.sop_instance_uid
    rows = select(InstanceCopy, Instance).join(Instance, of_instance)
    return rows.where(InstanceCopy.kind == CopyKind.QUARANTINED)


def _quarantined(copy: InstanceCopy, held: Instance) -> Quarantined:
    return Quarantined(
        copy.id,
        header_from_json(copy.header),
        copy.path,
        copy.size_bytes,
        copy.transfer_syntax_uid,
        copy.reason,
        copy.calling_ae_title,
        copy.address,
        copy.received_at,
        held.study_instance_uid,
        held.newest_path,
    )
