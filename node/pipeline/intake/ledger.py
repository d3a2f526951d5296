"""What receiving asks of whoever keeps the rows: an instance recorded, a caller noted, a sign of life.

A receiver does not know whether the rows are written in its own process (`node.pipeline.intake.books`) or in another
one (`node.receiving.handing`). It imports no database.
"""

from typing import Protocol

from node.network.commitment import Heard
from node.network.refused import RefusedAssociation
from node.network.released import ReleasedAssociation
from node.pipeline.intake.arrival import Arrival


class Ledger(Protocol):
    """Keeps what came; for any thread."""

    def record(self, came: Arrival) -> int:
        """Record an instance whose file is durable, and return the status to answer once that is committed.

        The file is the ledger's from now on: where no row names it, it is removed; but where that cannot be known it
        stays, and the next start adopts it.

        Returns
        -------
        int
            0x0000 where the row is durable, or the same was already held; 0x0111 where the held instance of this UID
            has other pixels.

        Raises
        ------
        Refused
            0xA700 where nothing can be recorded now.
        OSError, Transient, OperatorError
            Where files or database fail.
        """

    def ping(self) -> None:
        """See that a row would be written now.

        Raises
        ------
        Transient, OperatorError
            Where it would not.
        """

    def released(self, association: ReleasedAssociation) -> None:
        """Let what an association brought count as complete, where its sender is known for that.

        Raises
        ------
        Transient
            Where it cannot be written.
        """

    def heard(self, said: Heard) -> int:
        """Keep what a peer said of storage commitment, and return the status to answer once that is committed.

        Raises
        ------
        Refused, Transient, OperatorError
            Where it cannot be kept.
        """

    def refused(self, caller: RefusedAssociation) -> None:
        """Note a caller that is turned away.

        Raises
        ------
        Transient
            Where it cannot be written.
        """
