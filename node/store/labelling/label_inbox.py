"""Objects that may carry labels, from the transaction that records them until they are read.

A row stands there from the moment its instance is recorded, so none is forgotten. Reading happens later and elsewhere:
whatever such an object holds, receiving it is never in danger.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select, update

from node.domain.label import Verdict
from node.domain.label_document import NamedImage
from node.domain.lifecycle import State
from node.domain.rejection import KEY_OBJECT_SELECTION
from node.store.connection.driver_statement import Statement
from node.store.connection.upsert import insert_for
from node.store.database import Transaction
from node.store.tables.image_tables import Instance
from node.store.tables.label_tables import LabelObject
from node.store.working import work

LABEL_SOP_CLASSES = frozenset(
    {
        KEY_OBJECT_SELECTION,
        "1.2.840.10008.5.1.4.1.1.88.11",  # Basic Text SR
        "1.2.840.10008.5.1.4.1.1.88.22",  # Enhanced SR
        "1.2.840.10008.5.1.4.1.1.88.33",  # Comprehensive SR
        "1.2.840.10008.5.1.4.1.1.88.34",  # Comprehensive 3D SR
        "1.2.840.10008.5.1.4.1.1.88.35",  # Extensible SR
    }
)
"""SOP classes of the objects in which persons say what they see (DICOM PS3.4 B.5); dose and CAD have others."""

_PRIORITY = 0
_LEASE_S = 60.0
_ATTEMPTS = 20
_UNREAD: dict[str, Any] = {
    "verdict": Verdict.UNREAD,
    **dict.fromkeys(("reason", "said", "reader", "settled_by"), ""),
    "made_at": None,
    "images": [],
}


@dataclass(frozen=True, slots=True)
class ClaimedObject(work.Claim):
    """An object that this worker reads, with all that reading it needs."""

    sop_instance_uid: str
    study_instance_uid: str
    path: str  #: relative to the data folder
    calling_ae_title: str
    received_at: datetime
    device_uids: tuple[str, ...]  #: of the equipment that its header names


@dataclass(frozen=True, slots=True)
class LabelledObject:
    """An object that gave labels."""

    sop_instance_uid: str
    path: str  #: relative to the data folder
    device_uids: tuple[str, ...]  #: of the equipment that its header names


@dataclass(frozen=True, slots=True)
class ObjectRead:
    """What became of an object."""

    verdict: Verdict
    reason: str
    said: str
    reader: str
    made_at: datetime
    images: Sequence[NamedImage]


def add(tx: Transaction, objects: Mapping[str, str], now: datetime) -> None:
    """Let objects that are recorded in this transaction be read: Study Instance UID by SOP Instance UID."""
    fresh = _UNREAD | work.fresh(now, _PRIORITY)
    rows = [fresh | {"sop_instance_uid": uid, "study_instance_uid": study} for uid, study in sorted(objects.items())]
    _ADD.run(tx, rows)


def claim(tx: Transaction, now: datetime, worker: str) -> ClaimedObject | None:
    """Take the next object that is to be read, or None."""
    work.rescue(tx, LabelObject, now, _ATTEMPTS)
    taken = work.claim(tx, LabelObject, LabelObject.state == State.WAITING, now, _LEASE_S, worker)
    return None if taken is None else _claimed(tx, taken)


def next_due(tx: Transaction) -> datetime | None:
    """Return when an object may next be read, or None where none waits."""
    return work.next_wake(tx, LabelObject)


def settle(tx: Transaction, claimed: ClaimedObject, now: datetime, read: ObjectRead) -> bool:
    """Settle an object as read; False where the lease was lost, and nothing may be changed by it then."""
    return work.finish(tx, LabelObject, claimed, now, **_columns(read))


def fail(
    tx: Transaction, claimed: ClaimedObject, now: datetime, error: str, *, permanent: bool, jitter: random.Random
) -> State | None:
    """Settle an object as failed: tried again after a backoff, or buried; None where the lease was lost."""
    return work.fail(tx, LabelObject, claimed, now, error, permanent=permanent, jitter=jitter)


def rescue(tx: Transaction, now: datetime) -> None:
    """Take back all objects that are being read: for the start of a node, when no other worker can be alive."""
    work.rescue(tx, LabelObject, now, _ATTEMPTS, everything=True)


def get(tx: Transaction, sop_uid: str) -> LabelObject | None:
    """Return the row of an object, or None."""
    return tx.scalar(select(LabelObject).where(LabelObject.sop_instance_uid == sop_uid))


def read_again(tx: Transaction, now: datetime, sop_uid: str | None = None) -> list[str]:
    """Put objects back to be read once more and return their UIDs; without one, all that gave nothing so far.

    What an operator settled stays as it is, unless the object is named.
    """
    gave_nothing = or_(LabelObject.verdict == Verdict.UNMAPPED, LabelObject.state == State.BURIED)
    which = LabelObject.sop_instance_uid == sop_uid if sop_uid else and_(gave_nothing, LabelObject.settled_by == "")
    back = work.put_back(tx, LabelObject, and_(which, LabelObject.state.in_((State.DONE, State.BURIED))), now)
    tx.execute(update(LabelObject).where(LabelObject.id.in_(back)).values(last_error="", settled_by=""))
    return sorted(tx.scalars(select(LabelObject.sop_instance_uid).where(LabelObject.id.in_(back))))


def labelled(tx: Transaction) -> list[LabelledObject]:
    """Return the objects that gave labels which no operator has settled, and whose files are here, oldest first."""
    gave = and_(LabelObject.verdict == Verdict.LABELLED, LabelObject.state == State.DONE, LabelObject.settled_by == "")
    here = select(Instance).join(LabelObject, LabelObject.sop_instance_uid == Instance.sop_instance_uid)
    rows = tx.scalars(here.where(gave, Instance.removed_at.is_(None)).order_by(LabelObject.id))
    return [LabelledObject(row.sop_instance_uid, row.newest_path, _devices(row)) for row in rows]


def settle_by_hand(tx: Transaction, sop_uid: str, verdict: Verdict, who: str, now: datetime) -> None:
    """Keep an operator's word on an object; it is not read again by itself."""
    by_hand = {"verdict": verdict, "settled_by": who, "settled_at": now, "state": State.DONE, "last_error": ""}
    tx.execute(update(LabelObject).where(LabelObject.sop_instance_uid == sop_uid).values(by_hand))


def count_open(tx: Transaction) -> tuple[int, int]:
    """Return how many objects no rule could read, and how many could not be read at all."""
    unmapped = select(func.count()).select_from(LabelObject).where(LabelObject.verdict == Verdict.UNMAPPED)
    buried = select(func.count()).select_from(LabelObject).where(LabelObject.state == State.BURIED)
    return tx.execute(unmapped).scalar_one(), tx.execute(buried).scalar_one()


def _columns(read: ObjectRead) -> dict[str, Any]:
    images = [[image.study_instance_uid, image.series_instance_uid, image.sop_instance_uid] for image in read.images]
    return {
        "verdict": read.verdict,
        "reason": read.reason,
        "said": read.said,
        "reader": read.reader,
        "made_at": read.made_at,
        "images": images,
        "last_error": "",
    }


def _claimed(tx: Transaction, identity: int) -> ClaimedObject:
    row = tx.get_one(LabelObject, identity, populate_existing=True)
    instance = tx.get_one(Instance, row.sop_instance_uid)
    return ClaimedObject(
        id=row.id,
        attempt=row.attempt,
        failures=row.failures,
        max_attempts=_ATTEMPTS,
        lease_until=work.lease_end(row),
        last_error=row.last_error,
        sop_instance_uid=row.sop_instance_uid,
        study_instance_uid=instance.study_instance_uid,
        path=instance.newest_path,
        calling_ae_title=instance.calling_ae_title,
        received_at=instance.received_at,
        device_uids=_devices(instance),
    )


def _devices(instance: Instance) -> tuple[str, ...]:
    return tuple(instance.header.get("device_uids", ()))


_ADD = Statement(
    lambda dialect: insert_for(dialect, LabelObject).on_conflict_do_nothing(),
    ("sop_instance_uid", "study_instance_uid", *_UNREAD, *work.FRESH),
)
