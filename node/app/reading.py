"""The loops that read images, each with a child process of its own."""

import threading
from collections.abc import Iterator
from functools import partial

from node import telemetry
from node.app.parts import Parts
from node.domain.errors import Permanent, Transient
from node.pipeline.read import InstanceReader
from node.pipeline.reading import read_file, warm
from node.runtime.child import Child
from node.runtime.loop import WorkLoop
from node.store.job_claims import ClaimedJob
from node.store.tables import JobKind

_LEASE_MARGIN_S = 60.0  # a read's lease outlives its deadline, so that a slow read is not done twice


class Readers:
    """The reading loops and their child processes.

    Parameters
    ----------
    parts
        What the node is joined from.
    """

    def __init__(self, parts: Parts) -> None:
        work = parts.settings.work
        self._parts = parts
        self._children = [Child(work.deadline_s, memory_mb=work.memory_mb) for _ in range(work.processes)]
        self.loops = list(self._read_loops())
        self._stopping = False

    def start(self) -> None:
        """Load the bundles in every child and begin to read; returns at once."""
        for child, loop in zip(self._children, self.loops, strict=True):
            threading.Thread(target=self._begin, args=(child, loop), name="warm", daemon=True).start()

    def finish(self) -> None:
        """Say that a child that ends from now on is none to warn of."""
        self._stopping = True

    def stop(self) -> None:
        """End the child processes, whatever they do."""
        self._stopping = True
        for child in self._children:
            child.stop()

    def _begin(self, child: Child, loop: WorkLoop[ClaimedJob]) -> None:
        """Load the bundles, then read. One that cannot be loaded stops reading, and nothing is called not assessed."""
        log = telemetry.logger("app")
        for bundle, public_key in self._parts.catalogue.bundles:
            try:
                child.call(warm, bundle, public_key)
            except Permanent as error:
                log.error("reading waits: restart the node with a bundle that loads", reason=str(error))  # noqa: TRY400 - the reason says all
                return
            except Transient as error:  # the child died or was too slow: the first read tries again
                if not self._stopping:
                    log.warning("bundle not loaded in time", reason=str(error))
        loop.start()

    def _read_loops(self) -> Iterator[WorkLoop[ClaimedJob]]:
        parts = self._parts
        lease_s = parts.settings.work.deadline_s + _LEASE_MARGIN_S
        for number, child in enumerate(self._children):
            reader = InstanceReader(
                parts.database, parts.files, parts.catalogue, partial(child.call, read_file), parts.clock, parts.wake
            )
            yield parts.job_loop(f"read-{number + 1}", JobKind.READ, lease_s, reader.handle)
