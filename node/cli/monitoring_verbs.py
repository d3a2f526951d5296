"""Verbs that say how models do at this site, and what registries are told."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli.caller import who
from node.cli.main import application
from node.cli.output import Json, Limit, console, listing, settings_of
from node.pipeline.monitoring import export as exporting
from node.pipeline.monitoring import monitoring_listing as monitored
from node.runtime.clock import utc_now

_TITLES = {"images": "images in window"}  # as few as 0 while the reference is still gathered


@application.command()
def monitor(
    context: typer.Context,
    alarms: Annotated[bool, typer.Option("--alarms", help="The newest alarms, cleared ones too.")] = False,
    new_reference: Annotated[
        str | None, typer.Option("--new-reference", metavar="MODEL", help="Compare with the newest images from now on.")
    ] = None,
    silent: Annotated[
        str | None, typer.Option("--may-be-silent", metavar="SENDER", help="Expect nothing of it until it sends again.")
    ] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Say for each model whether its images, flags and labels are as they were."""
    settings = settings_of(context)
    if new_reference is not None:
        console.print(monitored.renew(settings, new_reference, who(), utc_now()), markup=False)
    elif silent is not None:
        console.print(monitored.dismiss_silence(settings, silent, who(), utc_now()), markup=False)
    elif alarms:
        listing(monitored.alarms(settings, limit or 10**9), as_json, monitored.ALARM_COLUMNS)
    else:
        listing(monitored.monitor(settings, utc_now), as_json, monitored.MONITOR_COLUMNS, _TITLES)


@application.command()
def export(
    context: typer.Context,
    model: Annotated[str, typer.Option("--model", help="Name of the model.")],
    version: Annotated[str, typer.Option("--version", help="Its version; the registered one where left out.")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="File to write; .csv or .json.")] = None,
    limit: Limit = 0,
    as_json: Json = False,
) -> None:
    """Write what a model said of each exam, without a patient's name, for registries of AI results."""
    rows = exporting.exams(settings_of(context), model, version, limit or None, utc_now())
    if out is None:
        listing(rows, as_json, exporting.COLUMNS)
        return
    exporting.write(rows, out)
    console.print(f"{len(rows)} exams written to {out}", markup=False)
