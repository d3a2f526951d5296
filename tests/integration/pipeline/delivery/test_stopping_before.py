"""A node that is told to end while a delivery waits for its peer: what has not left waits for the next start."""

import random
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from node.app.deliver_loops import deliver_loops
from node.app.parts import Parts
from node.config import PeerSettings, Settings
from node.network import kept_association
from node.network.peer import PeerAddress, PeerUnreachable, Timeouts
from node.network.upper_layer import Requestor
from node.runtime.keeping import Keeper
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import PACS, Line
from tests.support.peers.pacs import Pacs
from tests.support.peers.swallowing import swallowing
from tests.support.waiting import wait_until

_PATIENCE_S, _FOR_EVER_S = 60.0, 3600.0


@pytest.fixture
def swallows() -> Iterator[int]:
    """Give a port on which a connection is never answered."""
    with swallowing() as port:
        yield port


class _EnoughError(Exception):
    pass


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_connection_that_is_not_answered_is_looked_up_from(swallows: int, host: str) -> None:
    """Whoever waits for it may end that at any second; without one who does, it fails in its time."""

    def watch() -> None:
        raise _EnoughError

    peer = PeerAddress("PACS", host, swallows)
    with pytest.raises(_EnoughError):
        Requestor(peer, "NODE", [], Timeouts(connect_s=_FOR_EVER_S), watch=watch)
    with pytest.raises(PeerUnreachable, match=r"did not take the connection within 0\.1 s"):
        Requestor(peer, "NODE", [], Timeouts(connect_s=0.1))


def test_a_delivery_that_has_not_left_does_not_hold_a_stop(
    house: House, pacs: Pacs, swallows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits without a failure, as if nothing had been, and the next start delivers it once."""
    monkeypatch.setattr(kept_association, "Timeouts", partial(Timeouts, connect_s=_FOR_EVER_S))
    line = Line(house)
    house.receive(radiograph())
    line.report()
    (loop,) = deliver_loops(_parts(line, PACS.model_copy(update={"port": swallows})))
    loop.start()
    wait_until(_is(line, "running"), _PATIENCE_S, "the delivery to begin")
    loop.finish()
    assert loop.ended(_PATIENCE_S)
    (delivery,) = line.deliveries()
    assert (delivery["state"], delivery["failures"], delivery["offered_at"]) == ("waiting", 0, None)
    (loop,) = deliver_loops(_parts(line, PACS.model_copy(update={"port": pacs.port})))
    loop.start()
    wait_until(_is(line, "done"), _PATIENCE_S, "the delivery")
    loop.finish()
    assert loop.ended(_PATIENCE_S)
    assert (len(pacs.came), len(pacs.held)) == (1, 1)


def _is(line: Line, state: str) -> Callable[[], bool]:
    return lambda: [one["state"] for one in line.deliveries()] == [state]


def _parts(line: Line, peer: PeerSettings) -> Parts:
    house = line.house
    tables = {"node": {"ae_title": "PACSNODE", "data_dir": house.folder}, "database": {"url": house.url}}
    settings = Settings.model_validate(tables | {"peers": [peer]})
    given = (settings, house.database, house.files, line.catalogue, house.clock, random.Random(1))
    return Parts(*given, house.wake, lambda _: None, Keeper(_PATIENCE_S))
