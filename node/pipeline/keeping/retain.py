"""Retention: files of old studies go, oldest first; rows, reports and identities stay.

By age, and with a target of space only as far as that asks: a study's files stay `keep_days` after its newest image in
any case, and while anything is still to be done with it (`node.store.keeping.retention`). Rows say that files are gone
before they are: after a kill in between, the next start removes what is left.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from node.config import Settings, StorageSettings
from node.domain.errors import OperatorError
from node.pipeline.opened import open_database
from node.store.database import Database
from node.store.disk.files import InstanceFiles
from node.store.keeping import retention
from node.store.keeping.retention import OldStudy, Removal
from node.telemetry import logger

RETAIN_COLUMNS = ("study_instance_uid", "newest_at", "instances", "size_bytes", "action", "reason")

_MB = 1_000_000
_EVERY = timedelta(days=1)
_AFTER_A_START = timedelta(minutes=10)  # a node that has just come up has other things to do
_BETWEEN_BATCHES = timedelta(seconds=1)  # what is received meanwhile is committed between two
_AFTER_TROUBLE = timedelta(hours=1)
_BATCH = 100

_log = logger("pipeline.retain")


class Retention:
    """Removes the files of old studies.

    Parameters
    ----------
    database, files
        Where rows and bytes are kept.
    storage
        What the site has set.
    clock
        The time now, aware.
    """

    def __init__(
        self, database: Database, files: InstanceFiles, storage: StorageSettings, clock: Callable[[], datetime]
    ) -> None:
        self._database, self._files, self._storage, self._clock = database, files, storage, clock

    @property
    def before(self) -> datetime | None:
        """When the newest image of a study came at the latest whose files may go; None where files stay for ever."""
        keep_days = self._storage.keep_days
        return self._clock() - timedelta(days=keep_days) if keep_days else None

    def excess_bytes(self) -> int | None:
        """Return how much more than the target of space is used; None where there is none: all that is old goes."""
        target = self._storage.max_used_mb * _MB
        return self._database.read(retention.used_bytes) - target if target else None

    def removable(self, limit: int | None = None) -> list[OldStudy]:
        """Return the studies whose files may go, the oldest first."""
        before = self.before
        return [] if before is None else self._database.read(lambda tx: retention.removable(tx, before, limit))

    def kept(self) -> list[tuple[OldStudy, str]]:
        """Return the studies that are old enough and whose files stay, each with why."""
        before = self.before
        return [] if before is None else self._database.read(lambda tx: retention.kept(tx, before))

    def remove(self, study: OldStudy) -> Removal | None:
        """Remove a study's files; None where they stay after all, because something came to it meanwhile.

        Raises
        ------
        OSError
            Where a file cannot be removed; the next start tries again.
        """
        before, uid = self.before, study.study_instance_uid
        if before is None:
            return None
        now = self._clock()
        removal = self._database.write(lambda tx: retention.remove(tx, uid, before, now))
        for path in removal.paths if removal else ():
            self._files.remove_with_folder(path)
        return removal


class DailyRetention:
    """The run that a node makes every day: for the work loop, a few studies at a time.

    Parameters
    ----------
    retention
        What removes.
    clock
        The time now, aware.
    """

    def __init__(self, retention: Retention, clock: Callable[[], datetime]) -> None:
        self._retention, self._clock = retention, clock
        self._due_at = clock() + _AFTER_A_START
        self._excess_bytes: int | None = None
        self._under_way = False
        self._removed = 0

    def next_due(self) -> datetime:
        """Return when there is something to do."""
        return self._due_at

    def claim(self) -> Sequence[OldStudy] | None:
        """Return the next studies, or None at the end of a run."""
        if not self._under_way:
            self._under_way, self._removed = True, 0
            self._excess_bytes = self._retention.excess_bytes()
        done = self._excess_bytes is not None and self._excess_bytes <= 0
        studies = [] if done else self._retention.removable(_BATCH)
        if studies:
            return studies
        if self._removed or (self._excess_bytes or 0) > 0:
            _log.info("old studies removed", studies=self._removed, over_target_bytes=max(self._excess_bytes or 0, 0))
        self._under_way, self._due_at = False, self._clock() + _EVERY
        return None

    def handle(self, studies: Sequence[OldStudy]) -> None:
        """Remove their files, as far as the target of space asks."""
        for study in studies:
            if self._excess_bytes is not None and self._excess_bytes <= 0:
                break
            removal = self._retention.remove(study)
            if removal is not None:
                self._removed += 1
                if self._excess_bytes is not None:
                    self._excess_bytes -= removal.size_bytes
        self._due_at = self._clock() + _BETWEEN_BATCHES

    def fail(self, _: Sequence[OldStudy], error: Exception) -> None:
        """Wait with the rest of the run."""
        _log.warning("retention waits", reason=type(error).__name__)
        self._under_way, self._due_at = False, self._clock() + _AFTER_TROUBLE


def outlook(database: Database, storage: StorageSettings, now: datetime) -> str | None:
    """Return what the next run of a node will find, or None where that is nothing."""
    if not storage.keep_days:
        return None
    studies = database.read(lambda tx: retention.removable(tx, now - timedelta(days=storage.keep_days)))
    size_mb = sum(study.size_bytes for study in studies) // _MB
    so_far = f", as far as stored files take more than {storage.max_used_mb} MB" if storage.max_used_mb else ""
    said = f"the files of {len(studies)} studies ({size_mb} MB) are older than {storage.keep_days} days and go{so_far}"
    return f"{said}: `pacs-node retain --dry-run` names them; [storage] keep_days = 0 keeps them" if studies else None


def retain(settings: Settings, clock: Callable[[], datetime], *, dry_run: bool) -> Iterator[dict[str, Any]]:
    """Yield what becomes of each study that is old enough, as it is done.

    Yields
    ------
    dict
        ``study_instance_uid``, ``newest_at`` (when its newest image came), ``instances``, ``size_bytes``, ``action``
        ("removed", with `dry_run` "to be removed", or "kept"), ``reason`` (why it is kept, else ""): something is still
        to be done with it, or the target of space is met without it.

    Raises
    ------
    OperatorError
        Where files stay for ever.
    """
    if not settings.storage.keep_days:
        raise OperatorError("[storage] keep_days = 0: files stay for ever; set how many days they are kept")
    with open_database(settings) as database:
        retaining = Retention(database, InstanceFiles(settings.node.data_dir), settings.storage, clock)
        yield from (_row(study, "kept", reason) for study, reason in retaining.kept())
        excess = retaining.excess_bytes()
        for study in retaining.removable():
            if excess is not None and excess <= 0:
                yield _row(
                    study, "kept", f"no more than max_used_mb = {settings.storage.max_used_mb} is used without it"
                )
            elif dry_run or retaining.remove(study) is not None:
                excess = None if excess is None else excess - study.size_bytes
                yield _row(study, "to be removed" if dry_run else "removed", "")


def _row(study: OldStudy, action: str, reason: str) -> dict[str, Any]:
    return {
        "study_instance_uid": study.study_instance_uid,
        "newest_at": study.newest_at.isoformat(),
        "instances": study.instances,
        "size_bytes": study.size_bytes,
        "action": action,
        "reason": reason,
    }
