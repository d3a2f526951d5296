"""What an operator decides about a copy in the quarantine: it takes the place of the first one, or it goes.

Beside a running node or without one. The order is that of receiving: the file is durable in its new place before a row
names it, and nothing is removed before no row names it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from node.config import Settings
from node.dicom.instance.part10 import NotPart10
from node.domain.errors import OperatorError
from node.pipeline.delivery.turned_synthetic import watched
from node.pipeline.intake.synthetic_in_files import test_peers
from node.pipeline.intake.unrecorded import removed_on_failure
from node.pipeline.kept_file import opened
from node.pipeline.opened import open_database
from node.store import audit
from node.store.arriving import quarantine
from node.store.arriving.quarantine import Quarantined
from node.store.database import Database, Transaction
from node.store.disk import paths
from node.store.disk.files import InstanceFiles

COLUMNS = ("id", "study_instance_uid", "sop_instance_uid", "reason", "calling_ae_title", "received_at", "path")

_PIECE_BYTES = 1 << 20


def listed(settings: Settings) -> list[dict[str, Any]]:
    """Return the copies in the quarantine, the latest first.

    Returns
    -------
    list of dict
        ``id``, ``sop_instance_uid``, ``study_instance_uid`` of the instance that counts, ``copy_study_instance_uid`` as
        the copy says, ``reason``, ``transfer_syntax_uid``, ``size_bytes``, ``calling_ae_title``, ``address``,
        ``received_at`` of the copy, ``path`` of its file and ``held_path`` of the one that counts, both relative to the
        data folder.
    """
    with open_database(settings) as database:
        return [_row(copy) for copy in database.read(quarantine.listed)]


def accept(settings: Settings, number: int, who: str, now: datetime) -> str:
    """Let a copy take the place of the one that counts, and say what that means.

    Raises
    ------
    OperatorError
        Where there is no such copy, or its file is gone or spoilt.
    """
    with _found(settings, number) as (database, copy):
        files = InstanceFiles(settings.node.data_dir)
        _require_whole(files.path(copy.path))
        path = _placed(files, copy)
        with removed_on_failure(files, path):
            keeps_former = files.path(copy.held_path).is_file()

            def work(tx: Transaction) -> bool:
                return _accept(tx, settings, copy, path, who, now, keeps_former=keeps_former)

            _require_still(database.write(work), copy)
        if files.path(path).is_file():
            files.remove(copy.path)
        else:  # a node that started at this very moment took it for one that no row names
            database.write(lambda tx: paths.replace(tx, copy.header.sop_instance_uid, path, copy.path, copy.size_bytes))
    kept = "the former one is kept" if keeps_former else "the former one was gone already"
    return f"{copy.header.sop_instance_uid}: the copy counts from now on and is read again; {kept}"


def discard(settings: Settings, number: int, who: str, now: datetime) -> str:
    """Remove a copy and its file, and say so.

    Raises
    ------
    OperatorError
        Where there is no such copy.
    """
    with _found(settings, number) as (database, copy):

        def work(tx: Transaction) -> bool:
            is_gone = quarantine.discard(tx, copy)
            if is_gone:
                _note(tx, now, "quarantined copy discarded", copy, [copy.held_study_uid], who)
            return is_gone

        _require_still(database.write(work), copy)
        InstanceFiles(settings.node.data_dir).remove(copy.path)
    return f"{copy.header.sop_instance_uid}: the copy is removed; the one that counts stays as it is"


def _accept(
    tx: Transaction, settings: Settings, copy: Quarantined, path: str, who: str, now: datetime, *, keeps_former: bool
) -> bool:
    concerned = {copy.held_study_uid, copy.header.study_instance_uid}
    with watched(tx, now, concerned, test_peers(settings)):
        studies = quarantine.accept(tx, copy, path, now, keeps_former=keeps_former)
    if studies is not None:
        _note(tx, now, "quarantined copy accepted", copy, studies, who, former=copy.held_path, accepted=path)
    return studies is not None


@contextmanager
def _found(settings: Settings, number: int) -> Iterator[tuple[Database, Quarantined]]:
    with open_database(settings) as database:
        copy = database.read(lambda tx: quarantine.find(tx, number))
        if copy is None:
            raise OperatorError(f"no copy {number} is in the quarantine: `pacs-node quarantine` lists those that are")
        yield database, copy


def _require_still(settled: bool, copy: Quarantined) -> None:  # noqa: FBT001 - what a transaction has answered
    if not settled:
        raise OperatorError(
            f"copy {copy.id} was accepted or discarded meanwhile: `pacs-node quarantine` lists the rest"
        )


def _require_whole(path: Path) -> None:
    try:
        with opened(path):
            return
    except (OSError, NotPart10) as error:
        raise OperatorError(
            f"the file {path} is gone or cannot be read ({type(error).__name__}): put it back from a backup, or "
            "discard the copy"
        ) from error


def _placed(files: InstanceFiles, copy: Quarantined) -> str:
    """Bring a copy's file among the others, durably, and return its path; the one in the quarantine stays."""
    part = files.open_part()
    try:
        with files.path(copy.path).open("rb", buffering=0) as file:
            while piece := file.read(_PIECE_BYTES):
                part.write([piece])
        return files.keep(part, copy.header.study_instance_uid, copy.header.sop_instance_uid)
    finally:
        part.discard()  # which is nothing once it has its place


def _note(
    tx: Transaction, now: datetime, event: str, copy: Quarantined, studies: list[str], who: str, **detail: Any
) -> None:
    for study in studies:
        audit.add(
            tx, now, event, study, copy.header.sop_instance_uid, by=who, copy=copy.id, reason=copy.reason, **detail
        )


def _row(copy: Quarantined) -> dict[str, Any]:
    return {
        "id": copy.id,
        "sop_instance_uid": copy.header.sop_instance_uid,
        "study_instance_uid": copy.held_study_uid,
        "copy_study_instance_uid": copy.header.study_instance_uid,
        "reason": copy.reason,
        "transfer_syntax_uid": copy.transfer_syntax_uid,
        "size_bytes": copy.size_bytes,
        "calling_ae_title": copy.calling_ae_title,
        "address": copy.address,
        "received_at": copy.received_at.isoformat(),
        "path": copy.path,
        "held_path": copy.held_path,
    }
