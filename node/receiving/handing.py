"""The ledger of a process that writes no database: what came is handed over to the first process, which does.

On SQLite one process alone writes. The others receive, check and bring files to the disk; what is left is to wait for
the answer, and an instance is acknowledged once the first process has said that its row is committed.
"""

import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial

from node.config import Settings
from node.network.commitment import Heard
from node.network.refused import RefusedAssociation
from node.network.released import ReleasedAssociation
from node.pipeline.intake.arrival import Arrival
from node.pipeline.intake.unrecorded import remove_after
from node.pipeline.steps import Reached, Step, unobserved
from node.receiving.message import Entry, asked, outcome
from node.receiving.until_told import receive_until_told
from node.runtime.channels import Asking, NotAnswered, NotAsked
from node.runtime.line import Line
from node.store.disk.files import InstanceFiles
from node.store.unavailable import CommitUncertain

_STUDIES_AT_ONCE = 1_000  # of the longest UIDs, less than half of what a channel takes

#: Beyond all that the first process waits for itself, and below what a sender waits for the answer to C-STORE.
_ANSWER_WITHIN_S = 25.0

_PING_WITHIN_S = 5.0  # a caller waits for the answer to its request meanwhile, and others behind it
_IDLE_S = 60.0


class HandingOver:
    """A `node.pipeline.intake.ledger.Ledger` over channels to the first process.

    Parameters
    ----------
    asking
        Asks the first process.
    files
        Where the instances of this process lie.
    reached
        Called once an instance was handed over; for tests that end the process there.
    """

    def __init__(self, asking: Asking, files: InstanceFiles, reached: Reached = unobserved) -> None:
        self._asking, self._files = asking, files
        self._was_handed_over = partial(reached, Step.HANDED_OVER)

    def record(self, came: Arrival) -> int:
        """Hand over an instance and return the status; its file is the first process's once it was handed over."""
        try:
            return self._outcome(came, handed_over=self._was_handed_over)
        except NotAsked as error:
            remove_after(error, self._files, came.path)
            raise

    def ping(self) -> None:
        """See that the first process is there and would write a row now."""
        self._outcome(None, _PING_WITHIN_S)

    def refused(self, caller: RefusedAssociation) -> None:
        """Have a caller noted that is turned away."""
        self._outcome(caller)

    def released(self, association: ReleasedAssociation) -> None:
        """Have it noted what an association had brought that was released."""
        studies = association.studies
        for start in range(0, len(studies), _STUDIES_AT_ONCE):
            self._outcome(replace(association, studies=studies[start : start + _STUDIES_AT_ONCE]))

    def heard(self, said: Heard) -> int:
        """Have it kept what a peer said of storage commitment, and return the status to answer."""
        return self._outcome(said)

    def _outcome(
        self, entry: Entry, within_s: float = _ANSWER_WITHIN_S, handed_over: Callable[[], None] = lambda: None
    ) -> int:
        try:
            return outcome(self._asking.ask(asked(entry), within_s, handed_over))
        except NotAnswered as error:
            raise CommitUncertain(str(error)) from error


def hand_over_until_told(line: Line, listener: socket.socket, settings: Settings, reached: Reached) -> None:
    """Receive, with the parameters of `node.receiving.process.hand_over`."""
    files = InstanceFiles(settings.node.data_dir)
    with closing(Asking(line.channel)) as asking:
        ledger = HandingOver(asking, files, reached)
        receive_until_told(line, listener, settings, files, ledger, reached, partial(asking.close_idle, _IDLE_S))
