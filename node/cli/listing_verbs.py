"""The verbs of a running node: they parse, call what does the work, and print."""

from typing import Annotated

import typer

from node.cli.caller import who
from node.cli.control_verbs import say_holds
from node.cli.main import application
from node.cli.output import (
    Json,
    Limit,
    console,
    listing,
    print_json,
    say_limit,
    settings_of,
)
from node.cli.row_numbers import numbered
from node.domain.errors import OperatorError
from node.pipeline.operator import operate
from node.pipeline.operator.study_text import explain
from node.runtime.clock import utc_now


@application.command()
def migrate(context: typer.Context) -> None:
    """Bring the database to the newest schema."""
    console.print(operate.migrate(settings_of(context), utc_now()), markup=False)


@application.command()
def studies(
    context: typer.Context,
    study_instance_uid: Annotated[str | None, typer.Argument(help="Print everything about this one.")] = None,
    complete: Annotated[bool, typer.Option("--complete", help="Wait for no more images of this one.")] = False,
    recompose: Annotated[bool, typer.Option("--recompose", help="Report this one anew, to all who get it.")] = False,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List the studies, or everything about one."""
    settings = settings_of(context)
    if complete and recompose:
        raise OperatorError("--complete or --recompose, one at a time", exit_code=2)
    if (complete or recompose) and study_instance_uid is None:
        option = "complete" if complete else "recompose"
        raise OperatorError(f"say which study is meant: pacs-node studies UID --{option}", exit_code=2)
    if (complete or recompose) and study_instance_uid is not None:
        change = operate.complete if complete else operate.recompose
        console.print(change(settings, study_instance_uid, who(), utc_now()), markup=False)
    elif study_instance_uid is None:
        say_holds(settings, as_json)
        rows = operate.studies(settings, utc_now(), limit or None)
        listing(rows, as_json, operate.STUDIES_COLUMNS)
        say_limit(len(rows), limit, "studies", as_json)
    else:
        study = operate.study(settings, study_instance_uid, utc_now())
        if as_json:
            print_json([study])
        else:
            console.print(explain(study), markup=False)


@application.command()
def instances(context: typer.Context, as_json: Json = False) -> None:
    """Print the stored SOP Instance UIDs, one a line."""
    rows = operate.instances(settings_of(context))
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            if row["removed_at"] is None:
                typer.echo(row["sop_instance_uid"])


@application.command()
def queue(context: typer.Context, as_json: Json = False) -> None:
    """List the jobs that wait, run or are buried."""
    listing(operate.queue(settings_of(context)), as_json, operate.QUEUE_COLUMNS)


@application.command()
def deliveries(context: typer.Context, limit: Limit = 100, as_json: Json = False) -> None:
    """List the reports that wait or are buried, and the newest that are settled, for each peer."""
    settings = settings_of(context)
    say_holds(settings, as_json)
    rows = operate.deliveries(settings, utc_now(), limit or None)
    listing(rows, as_json, operate.DELIVERIES_COLUMNS)
    settled = sum(row["state"] in operate.SETTLED for row in rows)
    say_limit(settled, limit, "settled deliveries", as_json)


@application.command()
def retry(
    context: typer.Context,
    job: Annotated[list[int] | None, numbered("--job", "Id of a buried job (repeatable).")] = None,
    delivery: Annotated[list[int] | None, numbered("--delivery", "Id of a buried delivery.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All buried jobs and deliveries.")] = False,
) -> None:
    """Put buried work back to waiting with fresh attempts."""
    if not (job or delivery or everything):
        raise OperatorError("say what to put back: --job ID, --delivery ID, or --all", exit_code=2)
    settings, now = settings_of(context), utc_now()
    count = operate.retry(settings, job or [], delivery or [], now, everything=everything)
    console.print(f"{count} put back to waiting")
    for line in operate.paused(settings, now):
        console.print(line, markup=False)
