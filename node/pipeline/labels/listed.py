"""What is labelled, as an operator asks for it beside the running node."""

from datetime import datetime
from typing import Any

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.label import LabelState, Verdict
from node.pipeline.labels.label_policy import policy_of
from node.pipeline.labels.outdated import Outdated, outdated
from node.pipeline.opened import open_database, read_once
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

_NAMED = 20


def listed(settings: Settings, state: str, limit: int | None) -> list[dict[str, Any]]:
    """Return labels as `node.store.listing.label_views.labels` lists them; of one state, or all that are not settled.

    Raises
    ------
    OperatorError
        Where there is no such state.
    """
    if state and state not in _STATES:
        raise OperatorError(f"--state {state}: there is none of that name; known: {', '.join(_STATES)}", exit_code=2)
    return read_once(settings, lambda tx: label_views.labels(tx, limit, state=state or None))


def read_again(settings: Settings, uid: str, who: str, now: datetime, *, changed: bool = False) -> str:
    """Have an object read once more, or all that gave no label so far; say how many, and what would be read otherwise.

    Parameters
    ----------
    settings
        The configuration.
    uid
        Of an object; "" for all that gave nothing.
    who, now
        On whose word, and when.
    changed
        Whether also those are read once more that gave labels which the rules of today do not give.

    Raises
    ------
    OperatorError
        Where the object did not come, or waits to be read already.
    """
    with open_database(settings) as database:
        if uid:
            back = database.write(lambda tx: _back(tx, uid, who, now))
            if not back:
                raise OperatorError(
                    f"{uid}: no such object came, or it waits to be read: `pacs-node labels` lists them"
                )
            return _said(len(back))
        found = outdated(database, settings.node.data_dir, policy_of(settings))
        wanted = ("", *found.uids) if changed else ("",)
        back = database.write(lambda tx: [one for each in wanted for one in _back(tx, each, who, now)])
    return _said(len(back)) + ("" if changed else _of_today(found))


def _back(tx: Transaction, uid: str, who: str, now: datetime) -> list[str]:
    back = label_inbox.read_again(tx, now, uid or None)
    for one in back:
        found = label_inbox.get(tx, one)
        audit.add(tx, now, "label object read again", found.study_instance_uid if found else "", one, by=who)
    return back


def _said(count: int) -> str:
    return f"{count} objects are read again, by the running node or at its next start"


def _of_today(found: Outdated) -> str:
    """Return which labels stand that the rules of today do not give."""
    if not found.uids:
        return ""
    named = ", ".join(found.uids[:_NAMED]) + (", and more" if len(found.uids) > _NAMED else "")
    return (
        f"; {len(found.uids)} objects gave labels by older rules or words that today's do not give: {named}. "
        "`pacs-node labels read-again --changed` has them read once more, too"
    )
