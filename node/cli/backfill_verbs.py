"""The verb that fetches studies from an archive."""

import threading
from typing import Annotated, Any

import typer

from node.cli.main import application
from node.cli.output import Json, console, listing, print_json, progress_bars, reporter, settings_of
from node.cli.row_numbers import numbered
from node.config import Settings
from node.domain.errors import OperatorError
from node.pipeline.fetching import backfill_operate as backfills
from node.runtime.clock import utc_now

_LOOKS_EVERY_S = 1.0
_QUIET_LOOKS = 20  # without anything moving; then the operator is asked whether a node runs


@application.command()
def backfill(  # noqa: PLR0913 - each is one option of the verb
    context: typer.Context,
    *,
    peer: Annotated[str, typer.Option("--from", help="Name of the peer that is searched; it needs may_send.")] = "",
    query: Annotated[str, typer.Option("--query", help="KEY=VALUE,KEY=VALUE at the level of the study.")] = "",
    send: Annotated[bool, typer.Option("--send", help="Let results of what is fetched leave.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return at once; the node fetches.")] = False,
    list_all: Annotated[bool, typer.Option("--list", help="List the backfills.")] = False,
    show: Annotated[int | None, numbered("--show", "List the studies of one.")] = None,
    cancel: Annotated[int | None, numbered("--cancel", "End one.")] = None,
    retry: Annotated[int | None, numbered("--retry", "Fetch again what was buried.")] = None,
    as_json: Json = False,
) -> None:
    """Search an archive and have the running node fetch what matches; exit 1 where a study could not be fetched."""
    settings = settings_of(context)
    if list_all:
        listing(backfills.listing(settings), as_json, backfills.COLUMNS)
    elif show is not None:
        listing(backfills.studies(settings, show), as_json, backfills.STUDIES_COLUMNS)
    elif cancel is not None:
        console.print(f"{backfills.cancel(settings, cancel, utc_now())} studies are not fetched any more")
    elif retry is not None:
        console.print(f"{backfills.retry(settings, retry, utc_now())} studies put back to waiting")
    else:
        _fetch(settings, peer, query, send=send, waits=not no_wait, as_json=as_json)


def _fetch(settings: Settings, peer: str, query: str, *, send: bool, waits: bool, as_json: bool) -> None:
    if not peer or not query:
        raise OperatorError("say what to fetch: --from PEER --query KEY=VALUE,KEY=VALUE; or --list", exit_code=2)
    with progress_bars() as progress:
        report = reporter(progress)
        identity = backfills.begin(settings, peer, query, utc_now, report, sends=send)
        row = backfills.one(settings, identity)
        if waits:
            row = _watched(settings, row, report)
    if as_json:
        print_json([row])
    else:
        console.print(_said(row), markup=False)
    if waits and (row["buried"] or not row["ended_at"]):
        raise typer.Exit(1)


def _watched(settings: Settings, row: dict[str, Any], report: Any) -> dict[str, Any]:
    """Show how far a backfill is until it has ended; interrupted, it goes on in the node."""
    pause, quiet = threading.Event(), 0
    try:
        while not row["ended_at"] or row["running"]:
            pause.wait(_LOOKS_EVERY_S)
            before, row = row, backfills.one(settings, row["id"])
            report(f"fetching from {row['peer']}", row["studies"] - row["waiting"] - row["running"], row["studies"])
            quiet = quiet + 1 if before == row else 0
            if quiet == _QUIET_LOOKS:
                reason = f": {row['last_error']}" if row["last_error"] else "; does the node run? (`pacs-node serve`)"
                typer.echo(f"nothing moves{reason}", err=True)
    except KeyboardInterrupt:
        typer.echo("the node goes on with it: `pacs-node backfill --list` shows how far it is", err=True)
    return row


def _said(row: dict[str, Any]) -> str:
    parts = [
        f"{row[state]} {state}" for state in ("fetched", "waiting", "running", "buried", "cancelled") if row[state]
    ]
    error = f"; {row['last_error']}" if row["last_error"] else ""
    return f"backfill {row['id']}: {row['studies']} studies found{''.join(f', {part}' for part in parts)}{error}"
