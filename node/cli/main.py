"""The command line as a whole: options that every verb has."""

from pathlib import Path
from typing import Annotated

import typer

from node import __version__
from node.cli.output import console

application = typer.Typer(
    name="pacs-node",
    help="A DICOM node that reads images beside the radiologist. Results are research results, not for diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"pacs-node {__version__}")
        raise typer.Exit


@application.callback()
def main(
    context: typer.Context,
    config_file: Annotated[
        Path | None,
        typer.Option("--config", help="Configuration file; else PACS_NODE_CONFIG, else ./config.toml."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Hold what every verb needs: where the configuration is."""
    context.obj = config_file
