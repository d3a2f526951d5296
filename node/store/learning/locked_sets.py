"""Locked sets: named, frozen versions of images that no training reads, and every time that somebody looked at one.

It knows rows; the folders that hold the images are `node.pipeline.learning.locked`'s business.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update

from node.store import audit
from node.store.connection.chunks import chunks
from node.store.database import Transaction
from node.store.tables.learning_tables import LockedImage, LockedSet, LockedSetUse


@dataclass(frozen=True, slots=True)
class LockedVersion:
    """One version of a locked set."""

    id: int
    name: str
    version: int
    origin: str  #: "site" or "data"
    digest: str
    images: int
    patients: int
    reason: str
    frozen_at: datetime
    removed_at: datetime | None
    uses: int  #: how often it was looked at


@dataclass(frozen=True, slots=True)
class Member:
    """One image of a locked set."""

    name: str
    patient: str  #: pseudonym; of a data folder, its group
    image_hash: str


@dataclass(frozen=True, slots=True)
class Frozen:
    """What is to be frozen."""

    name: str
    origin: str
    digest: str
    members: Sequence[Member]
    reason: str


def next_version(tx: Transaction, name: str) -> int:
    """Return the number of the next version of a set."""
    return int(tx.scalar(select(func.coalesce(func.max(LockedSet.version), 0)).where(LockedSet.name == name)) or 0) + 1


def freeze(tx: Transaction, frozen: Frozen, version: int, now: datetime) -> LockedVersion:
    """Keep a new version; its folder is complete by now."""
    row = LockedSet(
        name=frozen.name,
        version=version,
        origin=frozen.origin,
        digest=frozen.digest,
        images=len(frozen.members),
        patients=len({one.patient for one in frozen.members}),
        reason=frozen.reason,
        frozen_at=now,
        removed_at=None,
    )
    tx.add(row)
    tx.flush()
    tx.add_all(
        LockedImage(locked_set_id=row.id, name=one.name, patient=one.patient, image_hash=one.image_hash)
        for one in frozen.members
    )
    audit.add(tx, now, "locked set frozen", set=row.name, version=row.version, images=row.images, reason=row.reason)
    return _version(row, 0)


def all(tx: Transaction) -> list[LockedVersion]:  # noqa: A001 - read as locked_sets.all
    """Return every version of every set, by name and number, those that were removed too."""
    used = select(LockedSetUse.locked_set_id, func.count()).group_by(LockedSetUse.locked_set_id)
    uses = {number: count for number, count in tx.execute(used)}  # noqa: C416 - rows are no pairs to a type checker
    rows = tx.scalars(select(LockedSet).order_by(LockedSet.name, LockedSet.version))
    return [_version(row, uses.get(row.id, 0)) for row in rows]


def newest(tx: Transaction) -> list[LockedVersion]:
    """Return the newest version of each set, by name; a set whose newest version was removed has none."""
    last = {one.name: one for one in all(tx)}
    return [one for one in last.values() if one.removed_at is None]


def members(tx: Transaction, sets: Collection[int]) -> dict[int, list[Member]]:
    """Return the images of some versions, by the version's id."""
    found: dict[int, list[Member]] = {number: [] for number in sets}
    rows = select(LockedImage).where(LockedImage.locked_set_id.in_(sets)).order_by(LockedImage.name)
    for row in tx.scalars(rows):
        found[row.locked_set_id].append(Member(row.name, row.patient, row.image_hash))
    return found


def holding(tx: Transaction, patients: Collection[str], names: Collection[str]) -> list[LockedVersion]:
    """Return the versions that hold images of some patients, or some images, and were not removed."""
    found = set[int]()
    for column, wanted in ((LockedImage.patient, patients), (LockedImage.name, names)):
        for some in chunks(wanted):
            found |= set(tx.scalars(select(LockedImage.locked_set_id).where(column.in_(some))))
    return [one for one in all(tx) if one.id in found and one.removed_at is None]


def remove(tx: Transaction, number: int, now: datetime) -> None:
    """Say that a version's images are gone, and no longer which they were."""
    tx.execute(update(LockedSet).where(LockedSet.id == number).values(removed_at=now))
    tx.execute(delete(LockedImage).where(LockedImage.locked_set_id == number))


def use(tx: Transaction, numbers: Collection[int], purpose: str, now: datetime) -> None:
    """Count that some versions were looked at, and what for."""
    tx.add_all(LockedSetUse(locked_set_id=number, used_at=now, purpose=purpose) for number in numbers)


def _version(row: LockedSet, uses: int) -> LockedVersion:
    return LockedVersion(
        row.id,
        row.name,
        row.version,
        row.origin,
        row.digest,
        row.images,
        row.patients,
        row.reason,
        row.frozen_at,
        row.removed_at,
        uses,
    )
