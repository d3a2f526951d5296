"""The verbs that stop what leaves, let it go, and take it back."""

from typing import Annotated

import typer

from node.cli.caller import who
from node.cli.main import application
from node.cli.output import Json, console, listing, settings_of
from node.cli.row_numbers import numbered
from node.config import Settings
from node.domain.errors import OperatorError
from node.pipeline.stopping import control, recall, undo_rejections
from node.runtime.clock import utc_now

Model = Annotated[str, typer.Option("--model", help="Only this model's; else everything.")]
Discard = Annotated[bool, typer.Option("--discard", help="Cancel what gathered instead of sending it.")]


@application.command()
def hold(
    context: typer.Context,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in listings and timelines.")],
    model: Model = "",
) -> None:
    """Let nothing leave any more until `release`; receiving, reading and composing go on."""
    console.print(control.hold(settings_of(context), model, reason, who(), utc_now()), markup=False)


@application.command()
def release(
    context: typer.Context,
    model: Model = "",
    delivery: Annotated[
        list[int] | None, numbered("--delivery", "Id of a delivery in the state held (repeatable).")
    ] = None,
    job: Annotated[
        list[int] | None, numbered("--job", "Id of a compose that was given up; with --discard (repeatable).")
    ] = None,
    discard: Discard = False,
    despite_patient: Annotated[
        bool, typer.Option("--despite-patient", help="Send it although the peer holds the study of another patient.")
    ] = False,
) -> None:
    """End a hold, or let go of single deliveries, and send or discard what gathered; or discard what was given up."""
    settings = settings_of(context)
    if sum(map(bool, (delivery, model, job))) > 1:
        raise OperatorError("say --model NAME, --delivery ID or --job ID, one of them", exit_code=2)
    if job and not discard:
        raise OperatorError("--job ID needs --discard; `pacs-node retry --job ID` puts it back to waiting", exit_code=2)
    if despite_patient and (discard or not delivery):
        raise OperatorError("--despite-patient is for --delivery ID, without --discard", exit_code=2)
    if job:
        said = control.discard_jobs(settings, job, who(), utc_now())
    elif delivery:
        how = {"discard": discard, "despite_patient": despite_patient}
        said = control.release_deliveries(settings, delivery, who(), utc_now(), **how)
    else:
        said = control.release(settings, model, who(), utc_now(), discard=discard)
    console.print(said, markup=False)


@application.command("recall")
def recall_(
    context: typer.Context,
    model: Annotated[str, typer.Option("--model", help="Name of the model.")],
    version: Annotated[str, typer.Option("--version", help="The version that made the results.")],
    send: Annotated[
        bool, typer.Option("--send", help="Stop what waits, and send rejection notes where peers take them.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the timelines of the studies.")] = "",
    as_json: Json = False,
) -> None:
    """List every study and peer that got a version's results; with --send, take them back."""
    settings = settings_of(context)
    said = recall.send(settings, model, version, who(), utc_now(), reason) if send else ""
    listing(recall.listed(settings, model, version), as_json, recall.COLUMNS)
    if said and not as_json:
        console.print(said, markup=False)


@application.command()
def holds(context: typer.Context, as_json: Json = False) -> None:
    """List the holds that were placed, who ended them, and the versions that were recalled."""
    listing(control.holds_placed(settings_of(context)), as_json, control.HOLDS_COLUMNS)


rejections_application = typer.Typer(
    help="Rejection notes that came, and the reports that peers had got before.", invoke_without_command=True
)
application.add_typer(rejections_application, name="rejections")

NoteUID = Annotated[str, typer.Argument(help="SOP Instance UID of the note.")]


@rejections_application.callback()
def rejections(context: typer.Context, as_json: Json = False) -> None:
    """List the rejection notes that came, and the reports that peers had got before."""
    if context.invoked_subcommand is not None:
        return
    rows = control.rejections(settings_of(context))
    listing(rows if as_json else control.in_short(rows), as_json, control.REJECTIONS_COLUMNS)


@rejections_application.command("undo")
def rejections_undo(context: typer.Context, note_uid: NoteUID) -> None:
    """Let nothing count any more that a wrong note said: what it named is read and reported again."""
    console.print(undo_rejections.undo(settings_of(context), note_uid, who(), utc_now()), markup=False)


@rejections_application.command("retry")
def rejections_retry(context: typer.Context, note_uid: NoteUID) -> None:
    """Read a note again that was refused or undone."""
    console.print(undo_rejections.retry(settings_of(context), note_uid, who(), utc_now()), markup=False)


def say_holds(settings: Settings, as_json: bool) -> None:
    """Print what an operator's word keeps back, before a listing for a person."""
    for line in [] if as_json else control.kept_back(settings):
        console.print(line, markup=False)
