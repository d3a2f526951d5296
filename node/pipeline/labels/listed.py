"""What is labelled, as an operator asks for it beside the running node."""

from datetime import datetime
from typing import Any

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.label import LabelState, Verdict
from node.pipeline.opened import open_database
from node.store import audit
from node.store.database import Transaction
from node.store.labelling import label_inbox
from node.store.listing import label_views

COLUMNS = (
    *("state", "class_name", "present", "reader", "made_at", "result_visible", "source_kind", "rule", "images"),
    *("accession_number", "study_instance_uid", "sop_instance_uid", "source_uid", "text", "reason"),
)
_STATES = (
    *(state.value for state in LabelState),
    *(label_views.WITHDRAWN, label_views.REFUSED, label_views.UNFIT),
    *(verdict.value for verdict in (Verdict.UNREAD, Verdict.UNMAPPED, Verdict.IGNORED, Verdict.DISMISSED)),
)


def listed(settings: Settings, state: str, limit: int | None) -> list[dict[str, Any]]:
    """Return labels as `node.store.listing.label_views.labels` lists them; of one state, or all that are not settled.

    Raises
    ------
    OperatorError
        Where there is no such state.
    """
    if state and state not in _STATES:
        raise OperatorError(f"--state {state}: there is none of that name; known: {', '.join(_STATES)}", exit_code=2)
    with open_database(settings) as database:
        return database.read(lambda tx: label_views.labels(tx, limit, state=state or None))


def read_again(settings: Settings, uid: str, who: str, now: datetime) -> str:
    """Have an object read once more, or all that gave no label so far; say how many.

    Raises
    ------
    OperatorError
        Where the object did not come, or waits to be read already.
    """

    def work(tx: Transaction) -> int:
        back = label_inbox.read_again(tx, now, uid or None)
        if uid and not back:
            raise OperatorError(f"{uid}: no such object came, or it waits to be read: `pacs-node labels` lists them")
        for one in back:
            found = label_inbox.get(tx, one)
            audit.add(tx, now, "label object read again", found.study_instance_uid if found else "", one, by=who)
        return len(back)

    with open_database(settings) as database:
        return f"{database.write(work)} objects are read again, by the running node or at its next start"
