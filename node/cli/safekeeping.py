"""The verbs of what is kept: how long, and where else."""

from typing import Annotated

import typer

from node.app import utc_now
from node.cli.main import application
from node.cli.output import Json, listing, settings_of
from node.pipeline import retain as retaining


@application.command()
def retain(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Remove the files of studies that are old enough, as [storage] says; a node does it once a day by itself."""
    rows = list(retaining.retain(settings_of(context), utc_now, dry_run=dry_run))
    listing(rows, as_json, retaining.RETAIN_COLUMNS)
