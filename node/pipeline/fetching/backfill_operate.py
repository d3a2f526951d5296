"""What an operator does with backfills: begin one, see how far each is, end one, try again what failed."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from node.config import PeerSettings, Settings
from node.domain.errors import OperatorError, Permanent, Transient
from node.network.peer import PeerAddress
from node.network.query import open_search
from node.pipeline.fetching.backfill_search import parse_query, search
from node.pipeline.opened import open_database, read_once
from node.pipeline.progress import Reporter
from node.store.keeping import backfills
from node.store.keeping.backfills import FoundStudy
from node.store.listing import backfill_views

COLUMNS = (
    "id",
    "peer",
    "query",
    "sends",
    "studies",
    "fetched",
    "waiting",
    "running",
    "buried",
    "cancelled",
    "ended_at",
)
STUDIES_COLUMNS = ("study_instance_uid", "state", "expected", "fetched", "failures", "due_at", "last_error")


def begin(
    settings: Settings, name: str, query_text: str, clock: Callable[[], datetime], report: Reporter, *, sends: bool
) -> int:
    """Search an archive and have the node fetch what it names; return the number of the backfill.

    The search is kept whole or not at all. The same search of the same archive, while it goes on, is not begun twice.

    Parameters
    ----------
    settings
        The configuration.
    name
        Which peer is searched.
    query_text
        What is asked, ``K=V,K=V``.
    clock
        The time now, aware.
    report
        Told of the progress.
    sends
        Whether results leave.

    Raises
    ------
    OperatorError
        Where the peer is not known, may not send to this node, or does not answer, or the query cannot be asked.
    """
    peer = _archive(settings, name)
    query = parse_query(query_text, clock().astimezone().date())
    with open_database(settings) as database:
        going_on = database.read(lambda tx: backfills.open_like(tx, peer.name, query, sends=sends))
        if going_on is not None:
            return going_on
        found, now = _found(settings, peer, query, report), clock()
        return database.write(lambda tx: backfills.begin(tx, peer.name, query, found, now, sends=sends))


def _archive(settings: Settings, name: str) -> PeerSettings:
    peer = settings.peer(name)
    if peer is None:
        known = ", ".join(each.name for each in settings.peers) or "none"
        raise OperatorError(f"no peer {name!r} (configured: {known}); name one of these", exit_code=2)
    if not (peer.may_send or settings.receive.accept_any_calling_ae):
        raise OperatorError(
            f"peer {name} has no may_send = true: what it sends to this node would be refused; set it and restart the "
            "node",
            exit_code=2,
        )
    return peer


def _found(settings: Settings, peer: PeerSettings, query: dict[str, str], report: Reporter) -> list[FoundStudy]:
    address = PeerAddress(peer.ae_title, peer.host, peer.port)
    try:
        with open_search(address, settings.node.ae_title) as asking:
            return search(asking, query, report)
    except (Transient, Permanent, ValueError) as error:
        raise OperatorError(f"peer {peer.name} could not be searched: {error}") from error


def listing(settings: Settings) -> list[dict[str, Any]]:
    """Return all backfills with counts, the newest first."""
    return read_once(settings, backfill_views.backfills)


def one(settings: Settings, backfill_id: int) -> dict[str, Any]:
    """Return how far one backfill is.

    Raises
    ------
    OperatorError
        Where there is no such one.
    """
    found = [row for row in listing(settings) if row["id"] == backfill_id]
    if not found:
        raise _unknown(backfill_id)
    return found[0]


def studies(settings: Settings, backfill_id: int) -> list[dict[str, Any]]:
    """Return the studies of one backfill in the order in which they are fetched.

    Raises
    ------
    OperatorError
        Where there is no such one.
    """
    one(settings, backfill_id)
    return read_once(settings, lambda tx: backfill_views.studies(tx, backfill_id))


def cancel(settings: Settings, backfill_id: int, now: datetime) -> int:
    """End a backfill; return how many studies are not fetched for it.

    Raises
    ------
    OperatorError
        Where there is no such one.
    """
    return _changed(settings, backfill_id, now, backfills.cancel)


def retry(settings: Settings, backfill_id: int, now: datetime) -> int:
    """Put the buried studies of a backfill back to waiting; return how many.

    Raises
    ------
    OperatorError
        Where there is no such one.
    """
    return _changed(settings, backfill_id, now, backfills.retry)


def _changed(settings: Settings, backfill_id: int, now: datetime, change: Any) -> int:
    with open_database(settings) as database:
        count: int | None = database.write(lambda tx: change(tx, backfill_id, now))
    if count is None:
        raise _unknown(backfill_id)
    return count


def _unknown(backfill_id: int) -> OperatorError:
    return OperatorError(f"no backfill {backfill_id}: `pacs-node backfill --list` lists those that are", exit_code=2)
