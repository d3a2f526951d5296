"""What of labels waits for an operator's word, as `check` says it."""

from collections.abc import Iterator

from node.pipeline.check_line import CheckLine
from node.store.database import Database
from node.store.labelling import label_inbox, standing


def lines(database: Database) -> Iterator[CheckLine]:
    """Yield a line where readers disagree, or an object gave no label; nothing where nothing waits."""
    unmapped, refused = database.read(label_inbox.count_open)
    conflicts = len(database.read(standing.standing).conflicts)
    waits = [
        *([f"readers disagree on {conflicts} images"] if conflicts else []),
        *([f"no rule reads {unmapped} objects"] if unmapped else []),
        *([f"{refused} objects cannot be read"] if refused else []),
    ]
    if waits:
        yield CheckLine("labels", "note", f"{', '.join(waits)}: `pacs-node labels` lists them")
