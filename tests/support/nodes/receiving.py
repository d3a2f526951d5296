"""A serving node under test: what it answers, what it keeps, and whether it is as it was before.

It reads the node's files and database beside the running node, and trusts nothing that the node says of itself.
"""

import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.databases.rows import rows_in
from tests.support.nodes import footprint
from tests.support.nodes.footprint import Footprint
from tests.support.nodes.process import Node
from tests.support.objects.part10 import dataset_bytes
from tests.support.objects.raw_dataset import Instance, ct
from tests.support.peers.raw_peer import RawPeer
from tests.support.waiting import wait_until

#: What the allocator may keep of what a case has taken: 3 MB are seen after 20 peers at once, 0.1 MB otherwise.
SLACK_KB = 8 * 1024
#: The same of all cases together: 400 of them are seen to take 8 MB.
SLACK_OF_ALL_KB = 24 * 1024
#: How far resident memory may rise while a case runs: 5 MB are seen, and the largest claim is 4 GiB.
PEAK_SLACK_KB = 16 * 1024

_SETTLED_S = 20.0
_LOOK_AGAIN_S = 0.004  # hundreds of cases wait for the end of a thread, which takes a millisecond
#: They wait for child processes, and so may start threads and open descriptors after the node is ready.
_LOOPS_THAT_BEGIN_LATE = ("compose", "read-1a", "read-1b")
_KEPT_FOLDERS = ("incoming", "instances", "quarantine")


@dataclass
class ReceivingNode:
    """A node that serves, with everything that a test asks of it."""

    process: Node
    most_together: int = 8  #: associations at once that it lets in, or that are enough to fill its pools
    _peers: list[RawPeer] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _rest: Footprint = field(init=False)
    _warm_kb: int = field(init=False)

    def __post_init__(self) -> None:
        """See what it holds before anyone has called, and let it serve as many peers at once as a busy day has.

        Memory counts from there on: the first instances fill its pools and caches.
        """
        for loop in _LOOPS_THAT_BEGIN_LATE:
            wait_until(lambda name=loop: self._has_begun(name), _SETTLED_S, f"the beginning of {loop}")
        self._rest = self.footprint()
        for peer in [self.associate() for _ in range(self.most_together)]:
            assert peer.store(ct(self.uid())) == 0x0000, self.log()
        self.hang_up()
        self.comes_to_rest()
        self._warm_kb = self.footprint().memory_kb

    def _has_begun(self, loop: str) -> bool:
        said = self.process.process.errors().splitlines()
        return any("work begins" in line and f"loop={loop}" in line for line in said)

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.process.pid

    def footprint(self) -> Footprint:
        """Return what it holds now."""
        return footprint.footprint(self.pid, has_server=bool(self.process.home.database))

    def uid(self) -> str:
        """Return a UID that was not used before."""
        return f"1.2.826.1.{next(self._numbers)}"

    def connect(self, address: str = "127.0.0.1") -> RawPeer:
        """Return a peer that is connected, from this address of the loopback network; it is closed after the case."""
        self._peers.append(RawPeer(self.process.port, address))
        return self._peers[-1]

    def associate(self, address: str = "127.0.0.1") -> RawPeer:
        """Return a peer with an association for CT and Verification, from this address."""
        return self.connect(address).associate()

    def hang_up(self) -> None:
        """Close every connection that a case has opened."""
        for peer in self._peers:
            peer.connection.close()
        self._peers.clear()

    def serves(self, address: str = "127.0.0.1") -> None:
        """Show that a new association is served: C-ECHO, and a C-STORE that is there byte for byte."""
        instance = ct(self.uid())
        with RawPeer(self.process.port, address).associate() as peer:
            assert peer.echo() == 0x0000
            assert peer.store(instance) == 0x0000
            peer.release()
        assert self.kept(instance.sop_instance_uid) == instance.dataset

    @contextlib.contextmanager
    def unharmed(self) -> Iterator["ReceivingNode"]:
        """Run a case, then show that the node serves on and holds nothing more than before it."""
        before = self.footprint()
        lowest = footprint.forget_peak(self.pid)
        try:
            yield self
        finally:
            self.hang_up()
        assert footprint.peak_kb(self.pid) - lowest < PEAK_SLACK_KB, "memory was not flat"
        self.comes_to_rest()
        self.serves()
        memory_kb = min(before.memory_kb, self._warm_kb + SLACK_OF_ALL_KB - SLACK_KB)
        rest = Footprint(self._rest.threads, self._rest.descriptors, memory_kb)
        wait_until(lambda: self._is_back_at(rest), _SETTLED_S, f"{rest}, not {self.footprint()}", _LOOK_AGAIN_S)

    def comes_to_rest(self) -> None:
        """Hang up, and wait until all associations are over and what they left has been cleared away."""
        self.hang_up()
        wait_until(self._is_at_rest, _SETTLED_S, f"{self._rest}, not {self.footprint()}", _LOOK_AGAIN_S)

    def _is_at_rest(self) -> bool:
        now = self.footprint()
        return now.threads <= self._rest.threads and now.descriptors <= self._rest.descriptors and not self.incoming()

    def has_connections(self, count: int) -> None:
        """Wait until the node holds so many connections that it has accepted."""
        port = self.process.port
        what = f"{count} connections"
        wait_until(lambda: footprint.accepted(self.pid, port) == count, _SETTLED_S, what, _LOOK_AGAIN_S)

    def _is_back_at(self, rest: Footprint) -> bool:
        return self._is_at_rest() and self.footprint().is_within(rest, SLACK_KB)

    def incoming(self) -> list[Path]:
        """Return the files of instances that are on their way in."""
        return list((self.process.home.data / "incoming").iterdir())

    def files(self) -> set[Path]:
        """Return every file of an instance that it keeps, wherever."""
        return {path for name in _KEPT_FOLDERS for path in _files(self.process.home.data / name)}

    def everything(self) -> set[Path]:
        """Return every file below the folder in which it runs, but for instances, the database and logs."""
        below = set(_files(self.process.home.folder)) - self.files()
        return {path for path in below if not path.name.startswith(("node.db", "serve-"))}

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Return what stands in its database."""
        return rows_in(self.process.home.url, query, **values)

    def kept(self, sop_instance_uid: str) -> bytes | None:
        """Return the dataset that it keeps under a UID, read from the file that its row names, or None."""
        rows = self.rows("SELECT path, size_bytes FROM instances WHERE sop_instance_uid = :uid", uid=sop_instance_uid)
        if not rows:
            return None
        dataset = dataset_bytes((self.process.home.data / rows[0][0]).read_bytes())
        assert len(dataset) == rows[0][1]
        return dataset

    def log(self) -> str:
        """Return all that it has printed."""
        return self.process.process.errors() + self.process.process.output()

    def stores(self, instance: Instance, peer: RawPeer | None = None) -> None:
        """Show that an instance is stored, byte for byte."""
        assert (self.status_of(instance) if peer is None else peer.store(instance)) == 0x0000
        assert self.kept(instance.sop_instance_uid) == instance.dataset

    def status_of(self, instance: Instance) -> int:
        """Return the status with which an instance is answered on an association of its own."""
        with RawPeer(self.process.port) as peer:
            peer.associate((1, instance.sop_class_uid, (instance.transfer_syntax_uid,)))
            status = peer.store(instance)
            peer.release()
        return status


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)
