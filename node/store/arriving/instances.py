"""Stored instances, their studies, and the later copies of a UID that is already held."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import and_, exists, func, insert, select, update

from node.domain.instance import InstanceHeader
from node.store.arriving import studies
from node.store.arriving.header_text import text_of_header
from node.store.codec import header_from_json, header_to_json
from node.store.connection.driver_statement import Lookup
from node.store.database import Transaction
from node.store.json_text import JSONText, json_text
from node.store.stopping.rejection_notes import not_wrong
from node.store.tables.choices import CopyKind, InstanceKind, JobKind, Origin
from node.store.tables.image_tables import Instance, InstanceCopy, Study
from node.store.tables.work_tables import InstanceReading, Job


@dataclass(frozen=True, slots=True)
class NewInstance:
    """An instance whose file is durable and whose row is about to be."""

    header: InstanceHeader
    path: str  #: relative to the data folder
    size_bytes: int
    calling_ae_title: str
    called_ae_title: str
    address: str
    received_at: datetime
    kind: InstanceKind = InstanceKind.IMAGE
    turned_away: dict[str, str] = field(default_factory=dict)  #: model -> the rule's reason
    header_text: JSONText | None = None  #: `header` as the row will hold it, where somebody has encoded it already
    origin: Origin = Origin.LIVE  #: how its study came here, where this is its first image


@dataclass(frozen=True, slots=True)
class HeldInstance(NewInstance):
    """An instance that is stored; `header` is that of its newest revision."""

    newest_path: str = ""  #: the file of the newest revision; `path` where there is none
    transfer_syntax_uid: str = ""  #: of the first copy, at `path`
    removed_at: datetime | None = None  #: when retention took its files away


@dataclass(frozen=True, slots=True)
class NewCopy:
    """A later copy of a held UID."""

    header: InstanceHeader
    path: str
    size_bytes: int
    calling_ae_title: str
    called_ae_title: str
    address: str
    received_at: datetime
    reason: str = ""


def held(tx: Transaction, sop_uid: str, *, locked: bool = False) -> HeldInstance | None:
    """Return the stored instance of this SOP Instance UID, or None.

    Where it is `locked`, no other transaction changes it before this one ends.
    """
    row = tx.get(Instance, sop_uid, populate_existing=locked, with_for_update=True if locked else None)
    return None if row is None else _held(row)


def newest_path(tx: Transaction, sop_uid: str) -> str:
    """Return the path of the newest copy of a stored instance.

    Raises
    ------
    sqlalchemy.exc.NoResultFound
        Where the instance is not stored.
    """
    return tx.execute(select(Instance.newest_path).where(Instance.sop_instance_uid == sop_uid)).scalar_one()


def files_of(tx: Transaction, sop_uids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return path and transfer syntax of the newest copies of stored instances, by SOP Instance UID."""
    # a later copy that took the first one's place has its pixels, byte for byte, and so its transfer syntax
    return {uid: (path, syntax) for uid, path, syntax in _FILES.rows(tx, sop_uids)}


def of_study(tx: Transaction, study_uid: str) -> list[HeldInstance]:
    """Return the instances of a study, of every kind, in the order of series and SOP Instance UID."""
    rows = tx.scalars(
        select(Instance)
        .where(Instance.study_instance_uid == study_uid)
        .order_by(Instance.series_instance_uid, Instance.sop_instance_uid)
    )
    return [_held(row) for row in rows]


def count_quarantined(tx: Transaction) -> int:
    """Return how many copies with other pixels under a held UID are kept."""
    query = select(func.count()).select_from(InstanceCopy).where(InstanceCopy.kind == CopyKind.QUARANTINED)
    return tx.execute(query).scalar_one()


def quarantined_studies(tx: Transaction, limit: int) -> list[str]:
    """Return the UIDs of the studies that hold the instances of quarantined copies, the latest copy's first."""
    newest = func.max(InstanceCopy.id).desc()
    query = select(Instance.study_instance_uid).join(InstanceCopy).where(InstanceCopy.kind == CopyKind.QUARANTINED)
    return list(tx.scalars(query.group_by(Instance.study_instance_uid).order_by(newest).limit(limit)))


def newest_received_at(tx: Transaction) -> datetime | None:
    """Return when the newest instance came, or None where none is stored."""
    return tx.scalar(select(func.max(Instance.received_at)))


def newest_header(tx: Transaction, study_uid: str, model: str) -> HeldInstance | None:
    """Return the image whose header came last, as itself or as a revision, among those that `model` is to read.

    Last is what was recorded last, whatever the clock said meanwhile.

    None where the study has no such image, or all were called wrong: those say nothing of the patient any more.
    """
    of_image = InstanceCopy.sop_instance_uid == Instance.sop_instance_uid, InstanceCopy.kind == CopyKind.REVISION
    revision = select(func.max(InstanceCopy.id)).where(*of_image).scalar_subquery()
    revised_at = select(func.max(InstanceCopy.received_at)).where(*of_image).scalar_subquery()
    is_read = exists().where(Job.kind == JobKind.READ, Job.subject_uid == Instance.sop_instance_uid, Job.model == model)
    of_study = and_(Instance.study_instance_uid == study_uid, Instance.kind == InstanceKind.IMAGE)
    images = and_(of_study, is_read, not_wrong())
    newest_first = (
        Instance.header_number.desc(),
        # of those that came together, and of what was stored when headers were not counted
        func.coalesce(revised_at, Instance.received_at).desc(),
        func.coalesce(revision, 0).desc(),
        Instance.sop_instance_uid,
    )
    row = tx.scalar(select(Instance).where(images).order_by(*newest_first).limit(1))
    return None if row is None else _held(row)


def as_row(new: NewInstance) -> dict[str, Any]:
    """Return the row of a new instance, by column."""
    return _arrival(new) | {
        "sop_instance_uid": new.header.sop_instance_uid,
        "study_instance_uid": new.header.study_instance_uid,
        "series_instance_uid": new.header.series_instance_uid,
        "sop_class_uid": new.header.sop_class_uid,
        "kind": new.kind,
        "modality": new.header.modality,
        "newest_path": new.path,
        "synthetic": new.header.synthetic,
        "turned_away": _reasons(tuple(new.turned_away.items())),
    }


@lru_cache(maxsize=64)  # the same for most of what one sender brings
def _reasons(turned_away: tuple[tuple[str, str], ...]) -> JSONText:
    return json_text(dict(turned_away))


def add_revision(tx: Transaction, copy: NewCopy) -> None:
    """Keep a copy with the same pixels and a changed header; `update_header` makes it the one that counts."""
    _add_copy(tx, copy, CopyKind.REVISION)


def add_quarantined(tx: Transaction, copy: NewCopy) -> None:
    """Keep a copy with other pixels under the same UID, out of the way of all work."""
    _add_copy(tx, copy, CopyKind.QUARANTINED)


def update_header(tx: Transaction, sop_uid: str, header: InstanceHeader, *, path: str | None = None) -> None:
    """Let a revision's header count from now on, and, where given, its file at `path`.

    The study follows: its patient is what the newest header says. Where the header names another study, the
    instance moves there with its readings and its `read` jobs. An image that was synthetic stays so: its pixels are the
    same.
    """
    row = tx.get_one(Instance, sop_uid)
    _put_study(tx, header, row.received_at, row.kind, tx.get_one(Study, row.study_instance_uid).origin)
    if header.study_instance_uid != row.study_instance_uid:
        _move_work(tx, sop_uid, header.study_instance_uid)
    values = {
        "study_instance_uid": header.study_instance_uid,
        "series_instance_uid": header.series_instance_uid,
        "modality": header.modality,
        "header": header_to_json(header),
        "newest_path": path or row.newest_path,
        "synthetic": row.synthetic or header.synthetic,
        "header_number": studies.header_number(),
    }
    changed = update(Instance).where(Instance.sop_instance_uid == sop_uid).values(**values)
    tx.execute(
        changed,
        {"of_study": header.study_instance_uid, "before_last": 0},
        execution_options={"synchronize_session": False},
    )
    tx.expire(row)


def store_again(tx: Transaction, header: InstanceHeader, path: str, size_bytes: int, now: datetime) -> None:
    """Let an instance have a file again that was removed for its age; its study is as young as one that just came."""
    uid = header.sop_instance_uid
    update_header(tx, uid, header, path=path)
    row = tx.get_one(Instance, uid)
    if row.kind is InstanceKind.IMAGE:
        _put_study(tx, header, now, row.kind, tx.get_one(Study, header.study_instance_uid).origin)
    values = {"path": path, "size_bytes": size_bytes, "removed_at": None}
    values["transfer_syntax_uid"] = header.transfer_syntax_uid
    tx.execute(update(Instance).where(Instance.sop_instance_uid == uid).values(**values))
    # its later copies had files of their own, which are gone too
    later = update(InstanceCopy).where(InstanceCopy.sop_instance_uid == uid)
    tx.execute(later.values(path=path, size_bytes=size_bytes))
    tx.expire(row)


def copies(tx: Transaction, sop_uid: str) -> list[str]:
    """Return the paths of all copies of a held UID: the first, its revisions and the quarantined ones."""
    first = select(Instance.path).where(Instance.sop_instance_uid == sop_uid)
    later = select(InstanceCopy.path).where(InstanceCopy.sop_instance_uid == sop_uid).order_by(InstanceCopy.id)
    return [*tx.scalars(first), *tx.scalars(later)]


def _move_work(tx: Transaction, sop_uid: str, study_uid: str) -> None:
    readings = update(InstanceReading).where(InstanceReading.sop_instance_uid == sop_uid)
    reads = update(Job).where(Job.kind == JobKind.READ, Job.subject_uid == sop_uid)
    for moved in (readings, reads):
        tx.execute(moved.values(study_instance_uid=study_uid), execution_options={"synchronize_session": False})


def _put_study(tx: Transaction, header: InstanceHeader, at: datetime, kind: InstanceKind, origin: Origin) -> None:
    is_image = kind is InstanceKind.IMAGE
    came = {"first_received_at": at, "last_received_at": at if is_image else None, "headers": int(is_image)}
    studies.put_all(tx, [studies.row(header) | came | {"origin": origin}])


def _add_copy(tx: Transaction, copy: NewCopy, kind: CopyKind) -> None:
    values = _arrival(copy) | {
        "sop_instance_uid": copy.header.sop_instance_uid,
        "kind": kind,
        "reason": copy.reason,
    }
    tx.execute(insert(InstanceCopy).values(**values))


def _arrival(new: NewInstance | NewCopy) -> dict[str, Any]:
    encoded = new.header_text if isinstance(new, NewInstance) else None
    return {
        "transfer_syntax_uid": new.header.transfer_syntax_uid,
        "path": new.path,
        "size_bytes": new.size_bytes,
        "header": encoded or text_of_header(new.header),
        "calling_ae_title": new.calling_ae_title,
        "called_ae_title": new.called_ae_title,
        "address": new.address,
        "received_at": new.received_at,
    }


def _held(row: Instance) -> HeldInstance:
    return HeldInstance(
        header=header_from_json(row.header),
        path=row.path,
        size_bytes=row.size_bytes,
        calling_ae_title=row.calling_ae_title,
        called_ae_title=row.called_ae_title,
        address=row.address,
        received_at=row.received_at,
        kind=row.kind,
        turned_away=row.turned_away,
        newest_path=row.newest_path,
        transfer_syntax_uid=row.transfer_syntax_uid,
        removed_at=row.removed_at,
    )


_FILES = Lookup(
    lambda among: select(Instance.sop_instance_uid, Instance.newest_path, Instance.transfer_syntax_uid).where(
        among(Instance.sop_instance_uid)
    )
)
