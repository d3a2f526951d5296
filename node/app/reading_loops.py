"""The loops that read images, each pair with a child process that has the models, and the children that decode."""

import queue
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from node import telemetry
from node.app.parts import Parts
from node.domain.errors import Permanent, Transient
from node.pipeline.analysis.read import Hands, InstanceReader
from node.pipeline.analysis.read_in_child import Prepared, StoredImage, prepare_file, read_images, warm
from node.runtime.child import Child
from node.runtime.loop import WorkLoop
from node.store.tables.choices import JobKind
from node.store.working.job_claims import ClaimedJob

_LOOPS_A_CHILD = 2
"""While the child reads what one loop has claimed, the other stores what was read before and claims the next."""


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
        self._decoders = Decoders([Child(work.deadline_s, memory_mb=work.memory_mb) for _ in range(work.decoders)])
        self._loops = [list(self._loops_of(number, child)) for number, child in enumerate(self._children, start=1)]
        self._stopping = False

    @property
    def loops(self) -> list[WorkLoop[list[ClaimedJob]]]:
        """All of them."""
        return [loop for of_child in self._loops for loop in of_child]

    def start(self) -> None:
        """Load the bundles in every child and begin to read; returns at once."""
        for child, loops in zip(self._children, self._loops, strict=True):
            threading.Thread(target=self._begin, args=(child, loops), name="warm", daemon=True).start()

    def finish(self) -> None:
        """Say that a child that ends from now on is none to warn of."""
        self._stopping = True

    def stop(self) -> None:
        """End the child processes, whatever they do."""
        self._stopping = True
        self._decoders.stop()
        for child in self._children:
            child.stop()

    def _begin(self, child: Child, loops: list[WorkLoop[list[ClaimedJob]]]) -> None:
        """Load the bundles, then read. One that cannot be loaded stops reading, and nothing is called not assessed."""
        log = telemetry.logger("app")
        for bundle, public_key in self._parts.catalogue.bundles:
            try:
                child.call(warm, bundle, public_key)
            except Permanent as error:
                log.error("reading waits", reason=str(error), way_out="restart the node with a bundle that loads")  # noqa: TRY400 - the reason says all
                return
            except Transient as error:  # the child died or was too slow: the first read tries again
                if not self._stopping:
                    log.warning("bundle not loaded in time", reason=str(error))
        for loop in loops:
            loop.start()

    def _loops_of(self, number: int, child: Child) -> Iterator[WorkLoop[list[ClaimedJob]]]:
        parts = self._parts
        decoders = self._decoders
        heat = any("heatmap" in peer.gets for peer in parts.settings.peers)
        hands = Hands(partial(child.call, partial(read_images, heat=heat)), decoders.prepare_file, decoders.count)
        wake = partial(parts.wake_only, ("compose",))
        for turn in "ab"[:_LOOPS_A_CHILD]:
            reader = InstanceReader(
                parts.database, parts.files, parts.catalogue, hands, parts.fail_job, parts.clock, wake
            )
            yield parts.jobs_loop(f"read-{number}{turn}", JobKind.READ, parts.settings.work.batch, reader.handle)


class Decoders:
    """Child processes that decode compressed pixels; each is started by the first image that needs it.

    Parameters
    ----------
    children
        One at least.
    """

    def __init__(self, children: list[Child]) -> None:
        self._children = children
        # the last to be idle is the first to be used again: where little is compressed, one child does it all
        self._idle: queue.LifoQueue[Child] = queue.LifoQueue()
        for child in children:
            self._idle.put(child)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._children)

    def prepare_file(self, image: StoredImage, bundle: Path, public_key: Path | None) -> Prepared:
        """Run `node.pipeline.analysis.read_in_child.prepare_file` in one that is idle; waits until one is.

        Raises
        ------
        Transient, Permanent
            As `Child.call`.
        """
        child = self._idle.get()
        try:
            prepared: Prepared = child.call(prepare_file, image, bundle, public_key)
            return prepared
        finally:
            self._idle.put(child)

    def stop(self) -> None:
        """End them, whatever they do."""
        for child in self._children:
            child.stop()
