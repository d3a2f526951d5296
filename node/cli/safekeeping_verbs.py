"""The verbs of what is kept: how long, and where else."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli.main import application
from node.cli.output import Json, console, listing, settings_of
from node.pipeline.keeping import backup as making
from node.pipeline.keeping import restore as restoring
from node.pipeline.keeping import retain as retaining
from node.runtime.clock import utc_now


@application.command()
def retain(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Remove the files of studies that are old enough for the configuration; a node does it once a day by itself."""
    rows = list(retaining.retain(settings_of(context), utc_now, dry_run=dry_run))
    listing(rows, as_json, retaining.RETAIN_COLUMNS)


@application.command()
def backup(
    context: typer.Context, folder: Annotated[Path, typer.Argument(help="A new folder for this backup.")]
) -> None:
    """Back up database and files, also while the node runs."""
    console.print(making.backup(settings_of(context), folder, utc_now()), markup=False)


@application.command()
def restore(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A backup.")],
    into: Annotated[Path | None, typer.Option("--into", help="An empty data folder; else the configured one.")] = None,
    forgotten: Annotated[
        Path | None, typer.Option("--forgotten", help="forgotten.json of the data folder that is lost.")
    ] = None,
) -> None:
    """Verify a backup and put it back into an empty data folder and database; the node must not run on them."""
    console.print(restoring.restore(settings_of(context), folder, utc_now(), into, forgotten), markup=False)
