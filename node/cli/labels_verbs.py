"""`labels` and what stands under it: what persons say of images, brought in, listed and settled."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli.caller import who
from node.cli.main import application
from node.cli.output import Json, Limit, console, listing, say_limit, settings_of
from node.domain.errors import OperatorError
from node.pipeline.labels import label_import, resolving
from node.pipeline.labels import listed as listing_of
from node.runtime.clock import utc_now

labels_application = typer.Typer(
    help="What is labelled, by whom, from which object, and what of it counts.", invoke_without_command=True
)
application.add_typer(labels_application, name="labels")


@labels_application.callback()
def labels(
    context: typer.Context,
    state: Annotated[str, typer.Option("--state", help="Only what stands so, such as conflict or unmapped.")] = "",
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List labels, and the objects that gave none with the reason, the newest first."""
    if context.invoked_subcommand is not None:
        return
    rows = listing_of.listed(settings_of(context), state, limit or None)
    listing(rows, as_json, listing_of.COLUMNS)
    say_limit(len(rows), limit, "labels", as_json)


@labels_application.command("import")
def labels_import(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV with a header: accession, study, series or instance; class; ...")],
) -> None:
    """Bring in labels from a file; with any fault in it nothing is imported, and every faulty row is named."""
    console.print(label_import.bring_in(settings_of(context), file, who(), utc_now()), markup=False)


@labels_application.command("resolve")
def labels_resolve(
    context: typer.Context,
    uid: Annotated[str, typer.Argument(help="Of an object, of an image or study that readers disagree on, of a row.")],
    class_name: Annotated[str, typer.Option("--class", help="The class that it speaks of.")] = "",
    present: Annotated[bool, typer.Option("--present", help="It is there.")] = False,
    absent: Annotated[bool, typer.Option("--absent", help="It is not there.")] = False,
    dismiss: Annotated[bool, typer.Option("--dismiss", help="The object, or the row, labels nothing.")] = False,
) -> None:
    """Settle what no rule could read, or what readers disagree on."""
    settings = settings_of(context)
    if (present + absent + dismiss) != 1 or bool(class_name) is dismiss:
        raise OperatorError("say --class NAME with --present or --absent, or --dismiss alone", exit_code=2)
    if dismiss:
        said = resolving.dismiss(settings, uid, who(), utc_now())
    else:
        said = resolving.resolve(settings, uid, class_name, who(), utc_now(), present=present)
    console.print(said, markup=False)


@labels_application.command("read-again")
def labels_read_again(
    context: typer.Context,
    uid: Annotated[str, typer.Argument(help="Of an object; left out, all that gave no label so far.")] = "",
    changed: Annotated[
        bool, typer.Option("--changed", help="Also those that gave labels which the rules of today do not give.")
    ] = False,
) -> None:
    """Have objects read once more, such as after the configuration has changed and the node was started again."""
    said = listing_of.read_again(settings_of(context), uid, who(), utc_now(), changed=changed)
    console.print(said, markup=False)
