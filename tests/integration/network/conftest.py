"""A node's SCP on a free port, and peers: the library's own, and one that speaks byte by byte."""

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from node.network.incoming import Begin, IncomingInstance, gathered
from node.network.scp import RefusedAssociation, ScpSettings, StorageSCP
from tests.support.peers.raw_peer import RawPeer


@dataclass
class Listening:
    """A running SCP, and what it was given."""

    scp: StorageSCP
    port: int
    received: list[IncomingInstance] = field(default_factory=list)
    refused: list[RefusedAssociation] = field(default_factory=list)


@pytest.fixture(params=["fast", "pynetdicom"])
def reader(request: pytest.FixtureRequest) -> str:
    """Return each reader in turn: whatever is tested of an SCP is tested of both."""
    return str(request.param)


@pytest.fixture
def listen(reader: str) -> Iterator[Callable[..., Listening]]:
    """Return a function that starts an SCP with these settings and this `on_store`, or this `begin`."""
    running: list[Listening] = []

    def start(
        on_store: Callable[[IncomingInstance], int] = lambda _: 0,
        *,
        begin: Begin | None = None,
        congested: Callable[[], str | None] = lambda: None,
        listener: socket.socket | None = None,
        lost: Callable[[], None] = lambda: None,
        **settings: Any,
    ) -> Listening:
        received: list[IncomingInstance] = []
        refused: list[RefusedAssociation] = []

        def keep(instance: IncomingInstance) -> int:
            received.append(instance)
            return on_store(instance)

        chosen = {"bind": "127.0.0.1", "port": 0, "calling_ae_titles": frozenset({"MODALITY"})} | settings
        chosen.setdefault("reader", reader)
        scp = StorageSCP(
            ScpSettings("PACSNODE", **chosen), begin or gathered(keep), refused.append, congested, lost=lost
        )
        running.append(Listening(scp, scp.start(listener), received, refused))
        return running[-1]

    yield start
    for one in running:
        one.scp.stop()


@pytest.fixture
def raw() -> Iterator[Callable[..., RawPeer]]:
    """Return a function that connects a peer which speaks byte by byte, from an address of this machine."""
    peers: list[RawPeer] = []

    def connect(listening: Listening, source: str = "127.0.0.1") -> RawPeer:
        peers.append(RawPeer(listening.port, source))
        return peers[-1]

    yield connect
    for peer in peers:
        peer.connection.close()


@pytest.fixture(autouse=True)
def no_thread_dies(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing that a peer sends prints a traceback."""
    died: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", died.append)
    yield
    assert died == []
