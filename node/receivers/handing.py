"""The ledger of a process that writes no database: what came is handed over to the first process, which does.

On SQLite one process alone writes. The others receive, check and bring files to the disk; what is left is to wait for
the answer, and an instance is acknowledged once the first process has said that its row is committed.
"""

import socket
from contextlib import closing

from node.config import Settings
from node.network.commitment import Heard
from node.network.rejection import RefusedAssociation
from node.network.released import ReleasedAssociation
from node.pipeline.arrival import Arrival
from node.pipeline.steps import Reached
from node.pipeline.unrecorded import remove_after
from node.receivers.message import Entry, asked, outcome
from node.receivers.serving import receive_until_told
from node.runtime.channels import Asking, NotAnswered, NotAsked
from node.runtime.line import Line
from node.store.files import InstanceFiles
from node.store.unavailable import CommitUncertain


class HandingOver:
    """A `node.pipeline.ledger.Ledger` over channels to the first process.

    Parameters
    ----------
    asking
        Asks the first process.
    files
        Where the instances of this process lie.
    """

    def __init__(self, asking: Asking, files: InstanceFiles) -> None:
        self._asking, self._files = asking, files

    def record(self, came: Arrival) -> int:
        """Hand over an instance and return the status; its file is the first process's once it was handed over."""
        try:
            return self._outcome(came)
        except NotAsked as error:
            remove_after(error, self._files, came.path)
            raise

    def ping(self) -> None:
        """See that the first process is there and would write a row now."""
        self._outcome(None)

    def refused(self, caller: RefusedAssociation) -> None:
        """Have a caller noted that is turned away."""
        self._outcome(caller)

    def released(self, association: ReleasedAssociation) -> None:
        """Have it noted what an association had brought that was released."""
        self._outcome(association)

    def heard(self, said: Heard) -> int:
        """Have it kept what a peer said of storage commitment, and return the status to answer."""
        return self._outcome(said)

    def _outcome(self, entry: Entry) -> int:
        try:
            return outcome(self._asking.ask(asked(entry)))
        except NotAnswered as error:
            raise CommitUncertain(str(error)) from error


def hand_over_until_told(line: Line, listener: socket.socket, settings: Settings, reached: Reached) -> None:
    """Receive, with the parameters of `node.receivers.process.hand_over`."""
    files = InstanceFiles(settings.node.data_dir)
    with closing(Asking(line.channel)) as asking:
        receive_until_told(line, listener, settings, files, HandingOver(asking, files), reached)
