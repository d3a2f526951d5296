"""What `check` says of what is kept: database, data folder, disk, clock, files and results."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from node.config import Settings
from node.domain.errors import OperatorError, Transient
from node.pipeline.check_line import CheckLine
from node.pipeline.intake.missing import missing
from node.pipeline.keeping.retain import outlook
from node.store import schema
from node.store.arriving import instances
from node.store.database import Database
from node.store.working import pictures

_EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)  # before this program was written, so a clock that says so is wrong
_MISSING_SHOWN = 5
_STUDIES_SHOWN = 5
_CLOCK_TOLERANCE = timedelta(minutes=5)


def schema_line(settings: Settings) -> CheckLine:
    """Return whether the database is reached, and whether its schema is this program's."""
    try:
        found = schema.current(settings.database.url)
        if found is None:
            way = (
                "`pacs-node serve` creates it"
                if settings.database.url.startswith("sqlite")
                else "run `pacs-node migrate`"
            )
            return CheckLine("database", "note", f"empty: {way}")
        schema.check(settings.database.url)
    except (OperatorError, Transient) as error:
        return CheckLine("database", "fault", str(error))
    return CheckLine("database", "ok", f"reached, schema at revision {found}")


def lines(settings: Settings) -> Iterator[CheckLine]:
    """Yield whether the data folder can be written, and whether its disk has room."""
    yield _folder(settings)
    yield from _disk(settings)


def _folder(settings: Settings) -> CheckLine:
    folder = settings.node.data_dir
    existing = next(candidate for candidate in (folder, *folder.parents) if candidate.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return CheckLine(
            "store", "fault", f"{existing} cannot be written: make it writable, or set another [node] data_dir"
        )
    return CheckLine("store", "ok", f"{folder}{'' if existing == folder else ' (to be created)'}")


def _disk(settings: Settings) -> Iterator[CheckLine]:
    folder = settings.node.data_dir
    existing = next(candidate for candidate in (folder, *folder.parents) if candidate.exists())
    free_mb = shutil.disk_usage(existing).free // 1_000_000
    inodes = os.statvfs(existing).f_favail
    least = settings.storage
    yield CheckLine(
        "disk",
        "ok" if free_mb > least.min_free_mb else "fault",
        f"{free_mb} MB free, the watermark is at {least.min_free_mb} MB ([storage] min_free_mb)",
    )
    if inodes:  # some file systems have no fixed number, and say 0
        yield CheckLine(
            "inodes",
            "ok" if inodes > least.min_free_inodes else "fault",
            f"{inodes} free, the watermark is at {least.min_free_inodes} ([storage] min_free_inodes)",
        )


def clock_line(database: Database, now: datetime) -> CheckLine:
    """Return whether the clock goes on from where the stored instances are."""
    newest = database.read(instances.newest_received_at)
    if now < _EARLIEST or (newest is not None and newest > now + _CLOCK_TOLERANCE):
        return CheckLine("clock", "fault", f"it says {now:%Y-%m-%d %H:%M:%S} UTC, and instances were stored after that")
    return CheckLine("clock", "ok", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def kept(settings: Settings, database: Database, now: datetime) -> Iterator[CheckLine]:
    """Yield what is to be known of what is kept: copies that wait for a decision, lost files, sizes, retention."""
    yield from _quarantined(database)
    yield from _missing(settings, database)
    yield _results(database)
    old = outlook(database, settings.storage, now)
    yield from [CheckLine("retention", "note", old)] if old else []


def _quarantined(database: Database) -> Iterator[CheckLine]:
    count = database.read(instances.count_quarantined)
    if count:
        named = ", ".join(database.read(lambda tx: instances.quarantined_studies(tx, _STUDIES_SHOWN)))
        text = f"{count} copies that contradict a held instance: `pacs-node quarantine` lists them; the first stays"
        yield CheckLine("quarantine", "note", f"{text} (the latest in {named})")


def _missing(settings: Settings, database: Database) -> Iterator[CheckLine]:
    """Say which stored files are gone: every row refers to one that was on the disk before it was acknowledged."""
    gone = database.read(lambda tx: list(islice(missing(tx, settings.node.data_dir), _MISSING_SHOWN + 1)))
    if gone:
        shown = ", ".join(gone[:_MISSING_SHOWN]) + (", and more" if len(gone) > _MISSING_SHOWN else "")
        text = (
            f"gone from {settings.node.data_dir}: {shown}; put them back from a backup, or have the studies sent again "
            "(`pacs-node instances --json` says which)"
        )
        yield CheckLine("files", "fault", text)


def _results(database: Database) -> CheckLine:
    documents_mb, pictures_mb = (size / 1e6 for size in database.read(pictures.used_bytes))
    text = f"they take {documents_mb:.1f} MB of the database, and pictures of heat maps {pictures_mb:.1f} MB more"
    return CheckLine("results", "ok", text)
