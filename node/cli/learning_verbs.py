"""The verbs of learning from what is labelled here: trainings, what is kept, locked sets, a patient forgotten."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli.caller import who
from node.cli.main import application
from node.cli.output import Json, console, listing, settings_of
from node.cli.row_numbers import numbered
from node.domain.errors import OperatorError
from node.pipeline.learning import forget as forgetting
from node.pipeline.learning import issuers, learning_listing, lock_by_operator
from node.runtime.clock import utc_now
from node.store.arriving.merges import PatientName

Model = Annotated[str, typer.Option("--model", help="Name of the model; else the only one.")]


@application.command()
def retrain(
    context: typer.Context,
    now: Annotated[bool, typer.Option("--now", help="Ask for a training; the running node does it.")] = False,
    cancel: Annotated[int | None, numbered("--cancel", "Number of a training that is to end.")] = None,
    model: Model = "",
    as_json: Json = False,
) -> None:
    """List the trainings from the site's labels; ask for one, or end one."""
    settings = settings_of(context)
    if now and cancel is not None:
        raise OperatorError("say --now or --cancel ID, not both", exit_code=2)
    if now:
        console.print(learning_listing.retrain_now(settings, model, who(), utc_now()), markup=False)
    elif cancel is not None:
        console.print(learning_listing.cancel(settings, cancel, who(), utc_now()), markup=False)
    else:
        listing(learning_listing.listed(settings), as_json, learning_listing.RETRAIN_COLUMNS)


@application.command()
def forget(
    context: typer.Context,
    patient_id: Annotated[str, typer.Argument(help="Patient ID of whom nothing is to be kept for learning.")],
    issuer: Annotated[str, typer.Option("--issuer", help="Issuer of Patient ID, where headers name one.")] = "",
    as_json: Json = False,
) -> None:
    """Remove all that is kept of a patient for learning, and list the versions that were trained on it."""
    done = forgetting.forget(settings_of(context), PatientName(patient_id, issuer), who(), utc_now())
    if not as_json:
        console.print(done.said, markup=False)
    listing(done.versions, as_json, forgetting.FORGET_COLUMNS)


learning_application = typer.Typer(
    help="What is kept to learn from, and what is locked away from learning.", invoke_without_command=True
)
application.add_typer(learning_application, name="learning")


@learning_application.callback()
def learning(context: typer.Context, model: Model = "", as_json: Json = False) -> None:
    """List how many images and patients there are to learn from, by side and label."""
    if context.invoked_subcommand is None:
        settings = settings_of(context)
        listing(learning_listing.overview(settings, model), as_json, learning_listing.LEARNING_COLUMNS)
        if not as_json and (text := issuers.said(settings)):
            console.print(text, markup=False)


@learning_application.command("issuers")
def learning_issuers(context: typer.Context, as_json: Json = False) -> None:
    """List Patient IDs that are used on several sides under several issuers, with what would make each one person."""
    listing(issuers.listed(settings_of(context)), as_json, issuers.ISSUERS_COLUMNS)


@learning_application.command("left-out")
def learning_left_out(context: typer.Context, as_json: Json = False) -> None:
    """List the labelled images that are not used, each with why."""
    listing(learning_listing.left_out(settings_of(context)), as_json, learning_listing.LEFT_OUT_COLUMNS)


@learning_application.command("locked")
def learning_locked(context: typer.Context, as_json: Json = False) -> None:
    """List every version of every locked set, and how often it was looked at."""
    listing(learning_listing.locked(settings_of(context)), as_json, learning_listing.LOCKED_COLUMNS)


@learning_application.command("lock")
def learning_lock(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the locked set.")],
    data: Annotated[
        Path, typer.Option("--data", help="Folder of zips with manifest.csv, npz, or DICOM folder with labels.csv.")
    ],
    split: Annotated[str, typer.Option("--split", help="Which of its splits.")] = "test",
    model: Model = "",
) -> None:
    """Lock the images of a data folder away: every challenger is judged by them, and none is trained on them."""
    console.print(lock_by_operator.lock_folder(settings_of(context), name, data, split, model, utc_now()), markup=False)


@learning_application.command("freeze")
def learning_freeze(context: typer.Context, model: Model = "") -> None:
    """Freeze the site's locked side as it is now, as a new version of its set."""
    console.print(lock_by_operator.freeze_now(settings_of(context), model, utc_now()), markup=False)


@learning_application.command("problems")
def learning_problems(context: typer.Context, as_json: Json = False) -> None:
    """List labels that are probably wrong, the unlikeliest first."""
    listing(learning_listing.problems(settings_of(context)), as_json, learning_listing.PROBLEMS_COLUMNS)


@learning_application.command("seen")
def learning_seen(
    context: typer.Context,
    sop_uid: Annotated[str, typer.Argument(help="SOP Instance UID of the image.")],
    class_name: Annotated[str, typer.Option("--class", help="The class that is labelled.")],
) -> None:
    """Take a label off the list of problems, because you have looked at it."""
    console.print(
        learning_listing.settle_problem(settings_of(context), sop_uid, class_name, who(), utc_now()), markup=False
    )
