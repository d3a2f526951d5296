"""The verb that says how this node conforms."""

from typing import Annotated

import typer

from node.cli.main import application
from node.cli.output import settings_of


@application.command()
def conformance(
    context: typer.Context,
    ihe: Annotated[bool, typer.Option("--ihe", help="The IHE integration statement instead.")] = False,
) -> None:
    """Print the DICOM conformance statement of this very configuration, as Markdown."""
    # a report of each outcome is built for it: nobody else pays for what that imports
    from node.pipeline.operator.conformance import conformance_statement, integration_statement  # noqa: PLC0415

    settings = settings_of(context)
    typer.echo(integration_statement(settings) if ihe else conformance_statement(settings), nl=False)
