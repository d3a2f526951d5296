"""What a start makes of the files and rows that a kill, or a database put back from an older copy, left apart.

A kill between rename and commit leaves a file that no row names. Its bytes came whole and were checked, so it is
recorded as if it had just come: at worst the peer, which was not answered, sends the same again. A row whose file is
gone breaks the first promise of the node, and is made known.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice
from tempfile import SpooledTemporaryFile

from node.dicom.encoding.transfer_syntax import NotParsable
from node.dicom.instance.header import inspect
from node.dicom.instance.part10 import NotPart10
from node.domain.errors import Refused
from node.network.incoming import Announced
from node.pipeline.intake.again import Copies
from node.pipeline.intake.announced import check_uids
from node.pipeline.intake.arrival import Arrival
from node.pipeline.intake.missing import Alone, Side, alone
from node.pipeline.intake.recorder import Recorder
from node.pipeline.kept_file import KeptFile, opened
from node.store import audit
from node.store.arriving import instances
from node.store.database import Database, Transaction
from node.store.disk.files import InstanceFiles
from node.telemetry import logger

ADOPTED = "instance adopted"
SET_ASIDE = "file set aside"
MISSING = "stored files are missing"
"""Events of the timeline."""

_TOGETHER = 100  # adopted in one transaction
_IN_MEMORY_BYTES = 1 << 20  # of the paths of files without a row
_NAMED = 5  # of the missing files

_log = logger("pipeline.recovery")


@dataclass(slots=True)
class Recovered:
    """What a start has found."""

    adopted: int = 0
    removed: int = 0  #: files with the same bytes as a copy that a row names, or of rows that say that they are gone
    set_aside: int = 0
    healed: int = 0  #: files that took the place of one that was gone
    missing: int = 0  #: rows whose file is gone
    first_missing: list[str] = field(default_factory=list)


class Recovery:
    """Brings files and rows together before anything is received.

    Parameters
    ----------
    database, files
        Where rows and bytes are kept.
    recorder
        Decides what an adopted instance is and what it causes.
    clock
        The time now, aware.
    """

    def __init__(
        self,
        database: Database,
        files: InstanceFiles,
        recorder: Recorder,
        clock: Callable[[], datetime],
    ) -> None:
        self._database, self._files, self._recorder = database, files, recorder
        self._copies, self._clock = Copies(database, files, recorder), clock

    def run(self) -> Recovered:
        """Remove temporaries, adopt or set aside files that no row names, tell of rows whose file is gone."""
        found = Recovered()
        swept = self._files.sweep()
        with SpooledTemporaryFile(_IN_MEMORY_BYTES, "w+", encoding="utf-8", errors="surrogateescape") as unrecorded:
            # settling one may take long, and a server ends a transaction that idles meanwhile
            self._database.read(lambda tx: unrecorded.writelines(_lines(alone(tx, self._files), self._files, found)))
            unrecorded.seek(0)
            self._settle((line.rstrip("\n") for line in unrecorded), found)
        if found.missing:
            self._database.write(partial(_tell_missing, found=found, now=self._clock()))
            _log.error("stored files are missing", files=found.missing, first=found.first_missing)
        done = {name: getattr(found, name) for name in ("adopted", "removed", "set_aside", "healed")}
        if swept or any(done.values()):
            _log.warning("leftovers of an earlier run settled", temporaries=swept, **done)
        return found

    def _settle(self, unrecorded: Iterator[str], found: Recovered) -> None:
        while batch := list(islice(unrecorded, _TOGETHER)):
            self._adopt([came for path in batch if (came := self._read(path, found)) is not None], found)

    def _read(self, path: str, found: Recovered) -> Arrival | None:
        try:
            with opened(self._files.path(path)) as file:
                return self._arrival(path, file)
        except (NotPart10, NotParsable, Refused) as error:
            with _another_day(path):
                self._set_aside(path, f"it is no sound instance: {type(error).__name__}", found)
        except OSError as error:
            _cannot_be_settled(path, error)
        return None

    def _arrival(self, path: str, file: KeptFile) -> Arrival:
        """Return what a file says of how it came: from whom, and no address."""
        header = inspect(file.dataset, file.transfer_syntax_uid, self._files.open_scratch)
        check_uids(header)
        sop_class = header.sop_class_uid
        announced = Announced(
            sop_class, header.sop_instance_uid, sop_class, file.transfer_syntax_uid, file.source_ae_title, "", ""
        )
        return Arrival(announced, header, path, len(file.dataset))

    def _adopt(self, arrivals: list[Arrival], found: Recovered) -> None:
        jobs = self._database.write(lambda tx: self._recorder.record(tx, arrivals, ADOPTED))
        for came, caused in zip(arrivals, jobs, strict=True):
            if caused is None:
                with _another_day(came.path):
                    self._settle_copy(came, found)
            else:
                found.adopted += 1

    def _settle_copy(self, came: Arrival, found: Recovered) -> None:
        """Settle a file whose UID is held: it came again, and its peer was not answered."""
        same = self._copies.same_as(came)
        if same == came.path:
            return  # a row names it after all
        lost = self._lost(came.sop_instance_uid)
        if lost is not None and self._is_removed(came.sop_instance_uid):
            self._copies.settle(came)
            found.adopted += 1
        elif lost is not None:
            self._heal(came, lost, found)
        elif same is None:
            self._set_aside(came.path, "another copy of its UID is held", found, came)
        else:
            self._files.remove(came.path)
            found.removed += 1

    def _lost(self, sop_instance_uid: str) -> str | None:
        """Return the path of the copy that counts where its file is gone."""
        path = self._database.read(lambda tx: instances.newest_path(tx, sop_instance_uid))
        return None if self._files.path(path).is_file() else path

    def _is_removed(self, sop_instance_uid: str) -> bool:
        held = self._database.read(lambda tx: instances.held(tx, sop_instance_uid))
        return held is not None and held.removed_at is not None

    def _heal(self, came: Arrival, lost: str, found: Recovered) -> None:
        """Let a whole file count instead of one that is gone, as if it had just come again."""
        self._copies.settle(came)
        if self._lost(came.sop_instance_uid) is None:  # it is of the same patient and study
            found.healed += 1
            found.missing -= 1
            found.first_missing = [path for path in found.first_missing if path != lost]
        else:
            found.set_aside += 1

    def _set_aside(self, path: str, reason: str, found: Recovered, came: Arrival | None = None) -> None:
        aside = self._files.set_aside(path)
        found.set_aside += 1
        uids = (came.header.study_instance_uid, came.sop_instance_uid) if came else ("", "")
        self._database.write(lambda tx: audit.add(tx, self._clock(), SET_ASIDE, *uids, path=aside, reason=reason))


@contextmanager
def _another_day(path: str) -> Iterator[None]:
    """Let a file stay where it is when it, or what it is compared with, cannot be read or moved today."""
    try:
        yield
    except OSError as error:
        _cannot_be_settled(path, error)


def _cannot_be_settled(path: str, error: OSError) -> None:
    _log.error("file without a row cannot be settled", path=path, reason=error.strerror)


def _lines(differences: Iterator[Alone], files: InstanceFiles, found: Recovered) -> Iterator[str]:
    """Yield the files without a row, a line each; count the rows without a file, remove what was to be, on the way."""
    for one in differences:
        if one.known_to is Side.FILE:
            yield f"{one.path}\n"
        elif one.known_to is Side.REMOVED:
            files.remove_with_folder(one.path)
            found.removed += 1
        else:
            found.missing += 1
            found.first_missing += [one.path] if len(found.first_missing) < _NAMED else []


def _tell_missing(tx: Transaction, found: Recovered, now: datetime) -> None:
    audit.add(tx, now, MISSING, files=found.missing, first=found.first_missing)
