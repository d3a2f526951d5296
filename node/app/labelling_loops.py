"""The loop that reads what persons say of images."""

from collections.abc import Iterator
from typing import Any

from node.app.parts import Parts, about
from node.pipeline.labels.label_policy import policy_of
from node.pipeline.labels.label_reader import LabelReader
from node.runtime.loop import WorkLoop
from node.store.labelling import label_inbox


def labelling_loops(parts: Parts) -> Iterator[WorkLoop[Any]]:
    """Yield the one loop."""
    worker, database, clock = parts.worker("label"), parts.database, parts.clock
    devices = parts.catalogue.served_models.device_uids
    reader = LabelReader(database, parts.files, policy_of(parts.settings), devices, clock, parts.jitter)
    yield WorkLoop(
        "label",
        lambda: database.write(lambda tx: label_inbox.claim(tx, clock(), worker)),
        reader.handle,
        reader.fail,
        lambda: database.read(label_inbox.next_due),
        clock,
        about,
    )
