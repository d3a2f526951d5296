"""What `check` says of storage commitment and backfills."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from node.config import Settings
from node.pipeline.check_line import CheckLine
from node.store.database import Database
from node.store.listing import backfill_views, commitment_views
from node.store.listing.commitment_views import Open
from node.store.sending import commitments_requested

_ALARMING = 3  # times without an answer


def lines(settings: Settings, database: Database, now: datetime) -> Iterator[CheckLine]:
    """Yield a line for each peer that owes an answer, for results that nobody takes, and for studies not fetched."""
    within = timedelta(seconds=settings.commitment.answer_within_s)
    for one in database.read(commitment_views.still_open):
        if one.failed or one.times or now - one.since > within:
            is_fault = one.times >= _ALARMING or now - one.since > _ALARMING * within
            yield CheckLine(f"commitment of {one.peer}", "fault" if is_fault else "note", _said(one))
    untold = database.read(commitments_requested.waiting)
    if untold:
        text = f"{untold} results of storage commitment were not taken yet by who asked for them"
        yield CheckLine("commitment", "note", text)
    buried = sum(row["buried"] for row in database.read(backfill_views.backfills))
    if buried:
        way_out = "`pacs-node backfill --list` shows of which, `--show ID` why, `--retry ID` fetches them again"
        yield CheckLine("backfill", "note", f"{buried} studies could not be fetched: {way_out}")


def _said(one: Open) -> str:
    failed = f", {one.failed} of which it does not keep and are sent again" if one.failed else ""
    asked = f"; asked in vain {one.times} times in a row" if one.times else ""
    error = f": {one.last_error}" if one.last_error else ""
    return f"{one.reports} reports sent since {one.since:%Y-%m-%d %H:%M} UTC and not committed to{failed}{asked}{error}"
