"""The loop that removes the files of old studies, once a day."""

from collections.abc import Iterator
from typing import Any

from node.app.parts import Parts
from node.pipeline.keeping.retain import DailyRetention, Retention
from node.runtime.loop import WorkLoop


def retaining_loops(parts: Parts) -> Iterator[WorkLoop[Any]]:
    """Yield the one loop; none where files stay for ever."""
    storage = parts.settings.storage
    if not storage.keep_days:
        return
    daily = DailyRetention(Retention(parts.database, parts.files, storage, parts.clock), parts.clock)
    yield WorkLoop("retain", daily.claim, daily.handle, daily.fail, daily.next_due, parts.clock)
