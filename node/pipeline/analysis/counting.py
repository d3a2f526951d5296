"""Asks the sender of a study, by C-FIND, whether what it holds is what is held here: then the study is complete.

It is asked outside of any transaction, once after each pause, and only peers with ``query = true`` are. An answer that
differs changes nothing, and so does none at all: the study then waits as it would have.

References
----------
DICOM PS3.3 C.3.4, PS3.4 C.3.4 and C.6.2 (additional query keys (0020,1208) and (0020,1209), which a peer need not
support).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from node.config import PeerSettings
from node.domain.completion import WITHOUT_IMAGES, Signal
from node.domain.errors import Permanent, Transient
from node.network.peer import PeerAddress, Timeouts
from node.network.query import open_search
from node.pipeline.analysis.completion_signals import complete
from node.store.database import Database, Transaction
from node.store.working import waits
from node.store.working.waits import Question
from node.telemetry import logger

_TIMEOUTS = Timeouts(
    connect_s=3.0, association_s=5.0, answer_s=10.0, query_s=10.0
)  # waiting for the answer gains nothing any more
_PAUSE = timedelta(seconds=60)  # for a peer that did not answer

_NUMBER_IN_SERIES = "NumberOfSeriesRelatedInstances"
_NUMBER_IN_STUDY = "NumberOfStudyRelatedInstances"

_log = logger("pipeline.counting")

Answers = Sequence[Mapping[str, str]]


def are_equal(series: Answers, held: Mapping[str, int]) -> bool | None:
    """Return whether a peer holds as many images of a study as are held here; None where it does not say.

    Parameters
    ----------
    series
        What it answered for each series of the study.
    held
        How many instances are held here, by Series Instance UID: those of series of images.
    """
    images = [one for one in series if one.get("Modality", "") not in WITHOUT_IMAGES]
    if not images or any(not _is_count(one.get(_NUMBER_IN_SERIES, "")) for one in images):
        return None
    others = {one.get("SeriesInstanceUID", "") for one in series if one not in images}
    counted = {one.get("SeriesInstanceUID", ""): int(one[_NUMBER_IN_SERIES]) for one in images}
    return counted == {uid: count for uid, count in held.items() if uid not in others}


def _is_count(text: str) -> bool:
    """Return whether it is a number of instances; IS has no more than 12 characters (PS3.5 6.2)."""
    number = text.strip()
    return number.isascii() and number.isdecimal() and len(number) <= 12


class Counter:
    """Asks, and completes the studies of which all is here.

    Parameters
    ----------
    database
        Where studies wait.
    calling_ae_title
        As whom it asks.
    peers
        Those with ``query = true`` are asked.
    clock
        The time now, aware.
    wake
        Called after a study was completed.
    """

    def __init__(
        self,
        database: Database,
        calling_ae_title: str,
        peers: Sequence[PeerSettings],
        clock: Callable[[], datetime],
        wake: Callable[[], None],
    ) -> None:
        self._database, self._calling_ae_title = database, calling_ae_title
        self._peers = {peer.ae_title: PeerAddress(peer.ae_title, peer.host, peer.port) for peer in peers if peer.query}
        self._clock, self._wake = clock, wake
        self._paused_until: dict[str, datetime] = {}

    def claim(self) -> Question | None:
        """Return the next study of these peers to be asked about, which is then not asked about until more comes."""
        return self._database.write(lambda tx: waits.take_question(tx, self._clock(), list(self._peers)))

    def next_due(self) -> datetime | None:
        """Return when the next one is to be asked, or None where nobody is."""
        return self._database.read(lambda tx: waits.next_question(tx, list(self._peers)))

    def handle(self, question: Question) -> None:
        """Ask, and complete the study where the answer is what is held."""
        peer = self._peers.get(question.calling_ae_title)
        if peer is None or self._is_paused(peer):
            return
        try:
            equal = self._ask(peer, question)
        except (Transient, Permanent) as error:
            self.fail(question, error)
            return
        if equal:
            self._database.write(lambda tx: self._complete(tx, question))
            self._wake()

    def fail(self, question: Question, error: Exception) -> None:
        """Leave a peer alone for a while that does not answer; the study waits as it would have."""
        self._paused_until[question.calling_ae_title] = self._clock() + _PAUSE
        reason = str(error) if isinstance(error, Transient | Permanent) else type(error).__name__
        _log.warning("peer not asked what it holds of a study", peer=question.calling_ae_title, reason=reason)

    def _is_paused(self, peer: PeerAddress) -> bool:
        until = self._paused_until.get(peer.ae_title)
        return until is not None and self._clock() < until

    def _ask(self, peer: PeerAddress, question: Question) -> bool:
        study = {"StudyInstanceUID": question.study_instance_uid}
        with open_search(peer, self._calling_ae_title, _TIMEOUTS) as search:
            keys = {**study, "SeriesInstanceUID": "", "Modality": "", _NUMBER_IN_SERIES: ""}
            equal = are_equal(search.find("SERIES", keys), question.held)
            if equal is not None:
                return equal
            answers = search.find("STUDY", {**study, _NUMBER_IN_STUDY: ""})
        return [one.get(_NUMBER_IN_STUDY) for one in answers] == [str(question.total)]

    def _complete(self, tx: Transaction, question: Question) -> None:
        if waits.question(tx, question.study_instance_uid) == question:  # nothing came since it was asked
            complete(tx, question.study_instance_uid, Signal.FOUND_AT_PEER, self._clock())
