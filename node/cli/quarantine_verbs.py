"""`quarantine` and what stands under it: copies that contradict a held instance, accepted or discarded."""

from typing import Annotated

import typer

from node.cli.caller import who
from node.cli.main import application
from node.cli.output import Json, console, listing, settings_of
from node.cli.row_numbers import row_number
from node.pipeline.intake import quarantine_decisions as deciding
from node.runtime.clock import utc_now

quarantine_application = typer.Typer(
    help="Copies that contradict a held instance: list, accept, discard.", invoke_without_command=True
)

application.add_typer(quarantine_application, name="quarantine")

Number = Annotated[
    int, typer.Argument(metavar="ID", parser=row_number, help="Number of a copy, as `quarantine` lists it.")
]


@quarantine_application.callback()
def quarantine(context: typer.Context, as_json: Json = False) -> None:
    """List the copies in the quarantine, the latest first."""
    if context.invoked_subcommand is None:
        listing(deciding.listed(settings_of(context)), as_json, deciding.COLUMNS)


@quarantine_application.command("accept")
def quarantine_accept(context: typer.Context, number: Number) -> None:
    """Let a copy take the place of the one that counts: it is read again, and reports follow where they change."""
    console.print(deciding.accept(settings_of(context), number, who(), utc_now()), markup=False)


@quarantine_application.command("discard")
def quarantine_discard(context: typer.Context, number: Number) -> None:
    """Remove a copy and its file for good."""
    console.print(deciding.discard(settings_of(context), number, who(), utc_now()), markup=False)
