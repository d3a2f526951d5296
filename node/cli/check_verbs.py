"""The verb that looks at everything that could be wrong."""

import typer

from node import config
from node.cli.main import application
from node.cli.output import Json, check_lines
from node.pipeline.checks import all_checks
from node.runtime.clock import utc_now


@application.command()
def check(context: typer.Context, as_json: Json = False) -> None:
    """Print a line for each thing that could be wrong; exit 1 where one is."""
    path = config.find(context.obj)
    check_lines(all_checks.check(config.load(path), path, utc_now()), as_json)
