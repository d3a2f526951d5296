"""The verb that sends files."""

from pathlib import Path
from typing import Annotated

import typer

from node import config
from node.cli.main import application
from node.cli.output import console, progress_bars, reporter, settings_of
from node.domain.errors import OperatorError
from node.pipeline.operator.send import address_of
from node.pipeline.operator.send import send as send_files


@application.command()
def send(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="DICOM files, folders of them, zips of them.")],
    to: Annotated[str, typer.Option("--to", help="A peer's name, or AE@host:port.")],
    calling: Annotated[str, typer.Option("--from", help="Calling AE title; else the node's own, or PACSNODE.")] = "",
) -> None:
    """Send files by C-STORE, with progress; exit 1 where one was not stored."""
    with progress_bars() as progress:
        results = send_files(_settings(context, to, calling), paths, to, reporter(progress), calling)
    for result in results.failed:
        console.print(f"not stored: {result.path}: {result.reason}", markup=False)
    if not results.stored and not results.failed:
        console.print("no DICOM file was found there")
    console.print(f"{results.stored} stored, {len(results.failed)} not stored, {results.skipped} not DICOM")
    if results.failed or not results.stored:
        raise typer.Exit(1)


def _settings(context: typer.Context, to: str, calling: str) -> config.Settings | None:
    """Return the configuration; None where both ends are said in full, or one is and no configuration is there."""
    if address_of(to) is None:
        return settings_of(context)
    if calling:
        return None
    try:
        found = config.find(context.obj)
    except OperatorError:
        if context.obj is not None:
            raise
        return None
    return config.load(found)
