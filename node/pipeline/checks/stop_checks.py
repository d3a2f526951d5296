"""What `check` says of what an operator or a peer has stopped: recalls, holds, rejection notes."""

from collections.abc import Iterator

from node.pipeline.check_line import CheckLine
from node.pipeline.registry import recalled
from node.store.database import Database
from node.store.listing import control_views
from node.store.stopping import holds, recalls, rejection_notes


def lines(database: Database) -> Iterator[CheckLine]:
    """Yield a line for each thing that keeps results back, or has them taken back elsewhere."""
    for one in database.read(recalls.serving):
        yield CheckLine(f"model {one.model}", "fault", recalled.note(one))
    for hold in database.read(holds.in_force):
        way_out = f"`pacs-node release{f' --model {hold.model}' if hold.model else ''}` ends that"
        yield CheckLine("hold", "note", f"{hold.said}; {way_out}")
    refused = database.read(rejection_notes.count_refused)
    if refused:
        text = (
            f"{refused} rejection notes could not be read and move nothing: `pacs-node rejections` says why, "
            "`rejections retry UID` reads one again and `rejections undo UID` dismisses it"
        )
        yield CheckLine("rejections", "note", text)
    for peer, count in sorted(database.read(control_views.count_untrue).items()):
        text = (
            f"{count} reports there rest on rejected images and are not taken back: `pacs-node rejections` lists them"
        )
        yield CheckLine(f"deliveries to {peer}", "note", text)
