"""`models` and what stands under it: versions, modes and measures."""

from typing import Annotated

import typer

from node.app import utc_now
from node.cli.main import application
from node.cli.output import Json, console, listing, settings_of
from node.pipeline import operate

models_application = typer.Typer(help="Versions, modes and measures of the models.", invoke_without_command=True)
application.add_typer(models_application, name="models")


@models_application.callback()
def models(context: typer.Context, as_json: Json = False) -> None:
    """List the models with version, mode and measures."""
    if context.invoked_subcommand is None:
        listing(operate.models(settings_of(context)), as_json, operate.MODELS_COLUMNS)


@models_application.command("mode")
def models_mode(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    mode: Annotated[str, typer.Argument(help="shadow, active or off.")],
) -> None:
    """Change what a model's results are used for; the running node follows without a restart."""
    console.print(operate.set_mode(settings_of(context), name, mode, utc_now()), markup=False)
