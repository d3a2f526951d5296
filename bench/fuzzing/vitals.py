"""The node under fire: is it alive, is what it acknowledged on the disk, does it keep what it should let go."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench.fuzzing.cases import Case
from bench.measuring.memory_held import memory_of
from bench.measuring.stored_files import instance_in, kept_files
from bench.sending.wire import FIELD, STORE_RQ, messages
from tests.support.nodes.process import Node
from tests.support.programs.processes import members
from tests.support.waiting import wait_until

_MEGABYTE = 1_000_000
_LETS_GO_S = 20.0


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the node's serving process holds."""

    threads: int
    descriptors: int
    pss_mb: float

    def __str__(self) -> str:
        """Return them in words."""
        return f"{self.threads} threads, {self.descriptors} descriptors, {self.pss_mb:.0f} MB of PSS"


@dataclass(slots=True)
class Limits:
    """How far the vitals may be from where they were at first: pools fill, caches grow, and that is all."""

    threads: int = 6
    descriptors: int = 40
    pss_mb: float = 100


def vitals(node: Node) -> Vitals:
    """Return what the serving process holds now."""
    pid = node.process.pid
    status = Path(f"/proc/{pid}/status").read_text().partition("Threads:")[2].split()[0]
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Vitals(int(status), descriptors, memory_of([pid]).whole / _MEGABYTE)


@dataclass(slots=True)
class Watch:
    """Looks at a node between batches, and remembers how it was at first and which files it has seen."""

    node: Node
    limits: Limits = field(default_factory=Limits)
    first: Vitals | None = None
    most: Vitals | None = None
    last: Vitals | None = None
    seen: set[Path] = field(default_factory=set)
    sent: set[tuple[str, bytes]] = field(default_factory=set)  #: UID and digest: the node may keep what came last later

    def complaints(self, cases: Iterable[Case], acknowledged: Iterable[str]) -> list[str]:
        """Return what is wrong after a batch: files, temporaries, vitals."""
        if self.node.process.pid not in members(self.node.process.pid):
            return ["the node has ended"]
        found = [*self._of_temporaries(), *self._of_vitals(), *self._of_files(cases, set(acknowledged))]
        now = vitals(self.node)
        self.first, self.last = self.first or now, now
        self.most = now if self.most is None else max(self.most, now, key=lambda it: it.pss_mb)
        return found

    def _of_files(self, cases: Iterable[Case], acknowledged: set[str]) -> list[str]:
        """Compare what is new in the store with what was sent whole, and with what was answered 0x0000."""
        self.sent |= {
            (message.sop_instance_uid, _digest(message.dataset))
            for case in cases
            for message in messages(case.stream)
            if message.number(FIELD) == STORE_RQ
        }
        new = set(kept_files(self.node.home.data / "instances")) - self.seen
        self.seen |= new
        kept = {(uid, _digest(dataset)) for uid, dataset in map(instance_in, new)}
        torn = [f"a file that nobody sent whole: {uid}" for uid, _ in kept - self.sent]
        lost = [f"0x0000 was answered, and it is not on the disk: {uid}" for uid in acknowledged - dict(kept).keys()]
        return torn + lost

    def _of_temporaries(self) -> list[str]:
        incoming = self.node.home.data / "incoming"
        try:
            wait_until(lambda: not any(incoming.rglob("*.*")), _LETS_GO_S, "an empty incoming/")
        except TimeoutError:
            return [f"{len(list(incoming.rglob('*.*')))} temporary files are left"]
        return []

    def _of_vitals(self) -> list[str]:
        """Wait until threads and descriptors are back where they were; memory is looked at as it is."""
        try:
            wait_until(self._is_calm, _LETS_GO_S, "threads and descriptors back where they were")
        except TimeoutError:
            return [f"{vitals(self.node)}; at first {self.first}"]
        return []

    def _is_calm(self) -> bool:
        first, now, limits = self.first or vitals(self.node), vitals(self.node), self.limits
        return (
            now.threads <= first.threads + limits.threads
            and now.descriptors <= first.descriptors + limits.descriptors
            and now.pss_mb <= first.pss_mb + limits.pss_mb
        )


def _digest(dataset: bytes) -> bytes:
    return hashlib.sha256(dataset).digest()
