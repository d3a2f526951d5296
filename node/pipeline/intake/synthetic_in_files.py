"""Asks the stored files whether they are synthetic, once, where a version that did not know the element stored them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from node.config import Settings
from node.dicom.encoding.transfer_syntax import NotParsable
from node.dicom.instance.header import inspect
from node.dicom.instance.part10 import NotPart10, read_part10
from node.pipeline.delivery.turned_synthetic import watched
from node.store.arriving import instances, synthetic_marks
from node.store.database import Database, Transaction
from node.store.disk.files import InstanceFiles
from node.telemetry import logger

_AT_ONCE = 200  # between two transactions of these many, a running node can write too

_log = logger("pipeline.asking")


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the files of one instance say."""

    newest: bool | None  #: of the copy that counts; None where it is gone or unreadable
    anyone: bool  #: of all copies, those in quarantine too


def test_peers(settings: Settings) -> frozenset[str]:
    """Return the names of the peers with ``test = true``."""
    return frozenset(peer.name for peer in settings.peers if peer.test)


def ask_files(database: Database, files: InstanceFiles, test_peers: Collection[str], now: datetime) -> int:
    """Set the mark of each instance whose kept header does not say whether it is synthetic, from its files.

    A file that is gone or cannot be parsed says nothing; where it is the newest copy, it is asked again another time.

    Parameters
    ----------
    database, files
        Where rows and bytes are kept.
    test_peers
        Names of the peers with ``test = true``; other peers that hold a report about a synthetic study are told of.
    now
        Aware.

    Returns
    -------
    int
        How many instances gave an answer.
    """
    answered, after = 0, ""
    while uids := database.read(partial(synthetic_marks.unasked, after=after, limit=_AT_ONCE)):
        answers = {uid: _answer(database, files, uid) for uid in uids}
        database.write(partial(_keep, answers=answers, test_peers=test_peers, now=now))
        answered += sum(answer.newest is not None for answer in answers.values())
        after = uids[-1]
    if answered:
        _log.info("stored files asked whether they are synthetic", instances=answered)
    return answered


def _answer(database: Database, files: InstanceFiles, uid: str) -> _Answer:
    newest, paths = database.read(lambda tx: (instances.newest_path(tx, uid), instances.copies(tx, uid)))
    said = {path: _says(files, path) for path in {newest, *paths}}
    return _Answer(said[newest], any(said.values()))


def _says(files: InstanceFiles, path: str) -> bool | None:
    try:
        part10 = read_part10(files.path(path))
        return inspect(part10.dataset, part10.transfer_syntax_uid).synthetic
    except (OSError, NotPart10, NotParsable) as error:
        _log.warning("a stored file does not say whether it is synthetic", path=path, reason=type(error).__name__)
        return None


def _keep(tx: Transaction, answers: Mapping[str, _Answer], test_peers: Collection[str], now: datetime) -> None:
    marked = [uid for uid, answer in answers.items() if answer.anyone]
    held = [found for uid in marked if (found := instances.held(tx, uid)) is not None]
    with watched(tx, now, {one.header.study_instance_uid for one in held}, test_peers):
        for uid, answer in answers.items():
            synthetic_marks.answer(tx, uid, newest=answer.newest, anyone=answer.anyone)
