"""A line whose one peer is asked for storage commitment, and which hears what peers say of it."""

import itertools
import random

from node.network.commitment import Heard
from node.network.peer import PeerAddress, Timeouts
from node.pipeline.delivery.commitment_heard import Hearing
from node.pipeline.delivery.committing import Asker, Committing
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import PACS, Line, negative

HOUR_S = 3600.0


class Site:
    """A line whose one peer is asked for storage commitment."""

    def __init__(self, house: House, port: int, *, serves: bool = False, callers: tuple[str, ...] = ()) -> None:
        """Join what asks and what hears; a result that comes at once is waited for."""
        self.house, self.peer = house, PACS.model_copy(update={"port": port, "storage_commitment": True})
        self.line = Line(house, [self.peer], says=negative)
        numbers = itertools.count(1)
        self.new_uid = lambda: f"2.25.{next(numbers)}"
        jitter = random.Random(1)
        self.hearing = Hearing(serves, callers, {"pacs": "PACS"}, house.clock, jitter, self.new_uid)
        timeouts = Timeouts()
        self.given = Committing(house.database, "PACSNODE", house.clock, jitter, timeouts, kept_open_s=10.0)
        address = PeerAddress("PACS", "127.0.0.1", port)
        self.asker = Asker(self.given, "pacs", address, HOUR_S, self.hear, self.new_uid, "test")

    def hear(self, said: Heard) -> int:
        """Keep what was said, as the node does."""
        return self.house.database.write(lambda tx: self.hearing.hear(tx, said))

    def send(self) -> None:
        """Send the report of one study."""
        self.house.receive(radiograph())
        self.line.report()
        assert self.line.deliver() == 1

    def ask(self) -> bool:
        """Do what is to be asked now, as the work loop does; return whether there was anything."""
        due = self.asker.next_due()
        if due is None or due > self.house.clock() or (claimed := self.asker.claim()) is None:
            return False
        try:
            self.asker.handle(claimed)
        except Exception as error:  # noqa: BLE001 - as the work loop does
            self.asker.fail(claimed, error)
        return True

    def ask_after(self, seconds: float) -> bool:
        """Let time pass, and ask."""
        self.house.clock.forward(seconds)
        return self.ask()

    def delivery(self) -> dict[str, object]:
        """Return the one delivery as the operator sees it."""
        (only,) = self.line.deliveries()
        return only

    def events(self) -> list[str]:
        """Return what the timeline says of commitment."""
        return [entry["event"] for entry in self.line.study()["timeline"] if "commit" in entry["event"]]
