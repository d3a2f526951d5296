"""The loop that looks whether models still see what they know."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from node.app.parts import Parts
from node.pipeline.apart import in_child
from node.pipeline.monitoring.watch import Turns, Watch
from node.pipeline.monitoring.windows import compare
from node.runtime.loop import WorkLoop

_DEADLINE_S = 300.0


def monitoring_loops(parts: Parts) -> Iterator[WorkLoop[Any]]:
    """Yield the one loop."""
    watch = Watch(parts.database, parts.settings.monitor, parts.clock, partial(in_child, _DEADLINE_S, compare))
    turns = Turns(parts.database, watch, parts.clock)
    yield WorkLoop("monitor", turns.claim, turns.handle, turns.fail, turns.next_due, parts.clock)
