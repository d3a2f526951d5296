"""The verbs that run a node."""

from pathlib import Path
from typing import Annotated

import typer

from node import app
from node.cli.main import application
from node.cli.output import settings_of, table


@application.command()
def serve(context: typer.Context) -> None:
    """Run the node until SIGTERM or SIGINT, which drain it."""
    app.serve(settings_of(context))


@application.command()
def demo(
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the report files; created, and emptied of an earlier demo.")
    ] = Path("demo-output"),
) -> None:
    """Run the whole main job on sample studies, on this machine alone."""
    from node import demo as demonstration  # noqa: PLC0415 - the only verb that needs it

    if not demonstration.run(out, table):
        raise typer.Exit(1)
