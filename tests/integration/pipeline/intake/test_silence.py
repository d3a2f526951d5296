"""A database server that falls silent and keeps its connections: no peer waits for it without end, and it recovers."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest

from node.domain.errors import Refused
from node.network.scp import ScpSettings, StorageSCP
from node.network.scu import OutgoingInstance, PeerAddress, SendingAssociation, Timeouts, open_association
from node.pipeline.steps import Step
from node.store.connection import engines
from node.store.database import Database
from tests.support.databases.postgres import PostgresServer
from tests.support.houses.house import House, radiograph, receive
from tests.support.waiting import wait_until

pytestmark = pytest.mark.database("postgresql")

_ANSWER_WITHIN_S = 1.0
_PEER_WAITS_S = 8.0  # for a response; without a deadline it would never come


@pytest.fixture
def impatient(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Give a house whose database counts as unavailable soon."""
    monkeypatch.setattr(engines, "LONGEST_WAIT_S", 2.0)  # the shortest that the driver takes for a connection
    with closing(Database.open(house.url, answer_within_s=_ANSWER_WITHIN_S)) as database:
        yield replace(house, database=database)


@pytest.fixture
def association(impatient: House) -> Iterator[SendingAssociation]:
    """Give an association with a node on that house."""
    settings = ScpSettings("PACSNODE", bind="127.0.0.1", port=0, accept_any_calling_ae=True)
    scp = StorageSCP(settings, impatient.receiver.begin, lambda _: None)
    came = radiograph()
    context = (came.sop_class_uid, came.transfer_syntax_uid)
    try:
        address = PeerAddress("PACSNODE", "127.0.0.1", scp.start())
        with open_association(address, "CR1", [context], timeouts=Timeouts(answer_s=_PEER_WAITS_S)) as opened:
            yield opened
    finally:
        scp.stop()


def _sent(association: SendingAssociation, sop_instance_uid: str) -> int:
    came = radiograph(sop_instance_uid=sop_instance_uid)
    outgoing = OutgoingInstance(came.sop_class_uid, came.sop_instance_uid, came.transfer_syntax_uid, came.dataset)
    return association.store(outgoing).status


def _files(house: House) -> int:
    return sum(path.is_file() for name in ("incoming", "instances") for path in (house.folder / name).rglob("*"))


def test_a_server_that_is_silent_is_answered_with_a700_within_the_peers_patience(
    impatient: House, association: SendingAssociation, postgres_server: PostgresServer
) -> None:
    """Its processes are stopped, its host still acknowledges: 0xA700, and then the same association goes on."""
    assert _sent(association, "1.2.3.1.1") == 0x0000
    with postgres_server.silent():
        assert _sent(association, "1.2.3.1.2") == 0xA700
        assert _files(impatient) == 1
    assert _sent(association, "1.2.3.1.2") == 0x0000
    assert len(impatient.rows("SELECT * FROM instances")) == _files(impatient) == 2


@pytest.mark.parametrize(("silent_from", "left"), [(Step.FOLDER_SYNCED, 0), (Step.RECORDED, 1)])
def test_a_file_stays_only_where_the_server_fell_silent_in_the_commit(
    impatient: House, postgres_server: PostgresServer, silent_from: Step, left: int
) -> None:
    """What was asked of it before it stopped it does when it goes on: a COMMIT counts then, and the row has a file."""
    with ExitStack() as over:

        def stop(step: Step) -> None:
            if step is silent_from:
                over.enter_context(postgres_server.silent())

        with pytest.raises(Refused) as caught:
            receive(impatient.receiver_that_tells(stop), radiograph())
        assert caught.value.status == 0xA700
        assert _files(impatient) == left
    query = "SELECT path FROM instances"
    wait_until(lambda: len(impatient.rows(query)) == left, 10, f"{left} rows of what was committed after all")
    assert all((impatient.folder / path).is_file() for (path,) in impatient.rows(query))
    assert receive(impatient.receiver, radiograph()) == 0x0000
