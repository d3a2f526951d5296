"""One receiving process, run in this one: what it says on its line, and what it does when the line ends."""

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from node import config
from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.rule import Rule
from node.network.scp import listening
from node.pipeline.served import Served
from node.pipeline.steps import unobserved
from node.receiving.own_rows import write_until_told
from node.runtime.line import ASK, DRAIN, READY, WAKE, WELL, Line
from node.store import schema
from node.store.database import Database
from node.store.disk.folder_lock import wait_for_receivers
from node.store.registering import registry
from node.store.registering.registry import Registration
from node.store.tables.choices import Mode
from tests.support.nodes.process import MODALITY, NodeFolder
from tests.support.objects.raw_dataset import ct
from tests.support.peers.raw_peer import RawPeer

_PATIENCE_S = 30.0
_READS_CT = Registration("reader", "1", "./bundle", Mode.SHADOW, Rule(modalities=("CT",), body_parts=()))


@dataclass
class _Receiving:
    """A receiving process as a thread, and the other end of its line."""

    settings: Settings
    port: int
    line: socket.socket
    listener: socket.socket
    thread: threading.Thread
    failures: list[OperatorError]

    def ends(self) -> bool:
        """Return whether it ends by itself."""
        self.thread.join(_PATIENCE_S)
        return not self.thread.is_alive()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of a node whose one model reads CT."""
    home = NodeFolder(tmp_path, [MODALITY], models=())
    home.write()
    loaded = config.load(home.configuration)
    loaded.node.data_dir.mkdir()
    schema.prepare(loaded.database.url)
    database = Database.open(loaded.database.url)
    database.write(lambda tx: registry.seed(tx, _READS_CT))
    database.close()
    return loaded


@pytest.fixture
def begun(settings: Settings) -> Iterator[Callable[[], _Receiving]]:
    """Return what begins to receive; whatever a test has begun is over after it."""
    made: list[_Receiving] = []

    def begin() -> _Receiving:
        ours, theirs = socket.socketpair()
        ours.settimeout(_PATIENCE_S)
        listener = listening("127.0.0.1", 0)
        arguments = (Line(theirs), listener, settings, unobserved, Served(frozenset(), frozenset()))
        failures: list[OperatorError] = []

        def run() -> None:
            try:
                write_until_told(*arguments)
            except OperatorError as error:
                failures.append(error)

        thread, port = threading.Thread(target=run), listener.getsockname()[1]
        made.append(_Receiving(settings, port, ours, listener.dup(), thread, failures))
        thread.start()
        return made[-1]

    yield begin
    for one in made:
        one.line.close()
        one.listener.close()
        assert one.ends()


def test_work_that_an_instance_causes_is_said_on_the_line_after_its_commit(begun: Callable[[], _Receiving]) -> None:
    """The first process looks at once, and finds it."""
    receiving = begun()
    assert receiving.line.recv(1) == READY
    with RawPeer(receiving.port).associate() as peer:
        assert peer.store(ct("1.2.3.4")) == 0x0000
        assert receiving.line.recv(1) == WAKE
        peer.release()
    receiving.line.send(DRAIN)
    assert receiving.ends()


def test_a_process_answers_that_it_is_well_while_its_connections_are_accepted(begun: Callable[[], _Receiving]) -> None:
    """Asked as often as the first process likes."""
    receiving = begun()
    assert receiving.line.recv(1) == READY
    for _ in range(3):
        receiving.line.send(ASK)
        assert receiving.line.recv(1) == WELL


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_process_that_can_accept_nobody_any_more_ends_as_failed(begun: Callable[[], _Receiving]) -> None:
    """Its listening socket is shut under it: the first process then starts another one."""
    receiving = begun()
    assert receiving.line.recv(1) == READY
    receiving.listener.shutdown(socket.SHUT_RDWR)
    assert receiving.ends()
    (failure,) = receiving.failures
    assert "could not accept connections any more" in str(failure)


def test_the_next_node_waits_for_a_process_until_it_has_ended(begun: Callable[[], _Receiving]) -> None:
    """Told by the line that is cut: nobody is there any more to tell it to drain."""
    receiving = begun()
    assert receiving.line.recv(1) == READY
    data_dir = receiving.settings.node.data_dir
    with pytest.raises(OperatorError, match="still works on the data folder"):
        wait_for_receivers(data_dir, 0)
    receiving.line.close()
    wait_for_receivers(data_dir, _PATIENCE_S)
    assert receiving.ends()


def test_a_process_whose_first_process_is_gone_before_it_begins_does_not_begin(settings: Settings) -> None:
    """The next node may have looked for receiving processes before this one could be seen."""
    ours, theirs = socket.socketpair()
    ours.close()
    with listening("127.0.0.1", 0) as listener, theirs:
        write_until_told(Line(theirs), listener, settings, unobserved, Served(frozenset(), frozenset()))
    assert not (settings.node.data_dir / "associations.lock").exists()
