"""The verbs of the operator: they parse, call `app` and print, and hold no logic."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from node import __version__, app, config
from node.app import utc_now
from node.domain.errors import OperatorError
from node.pipeline import checks, learn, operate
from node.pipeline.explain import explain
from node.pipeline.send import Reporter
from node.pipeline.send import send as send_files

application = typer.Typer(
    name="pacs-node",
    help="A DICOM node that reads images beside the radiologist. Results are research results, not for diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models_application = typer.Typer(help="Versions, modes and measures of the models.", invoke_without_command=True)
application.add_typer(models_application, name="models")

_COLOURS = {"ok": "green", "note": "yellow", "fault": "red"}
_PIPE_WIDTH = 400  # a listing that goes to a file or another program is not folded
_out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON array with documented keys.")]


def _settings(context: typer.Context) -> config.Settings:
    return config.load(config.find(context.obj))


def _version(wanted: bool) -> None:
    if wanted:
        _out.print(f"pacs-node {__version__}")
        raise typer.Exit


@application.callback()
def main(
    context: typer.Context,
    config_file: Annotated[
        Path | None,
        typer.Option("--config", help="Configuration file; else PACS_NODE_CONFIG, else ./config.toml."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Hold what every verb needs: where the configuration is."""
    context.obj = config_file


@application.command()
def serve(context: typer.Context) -> None:
    """Run the node until SIGTERM or SIGINT, which drain it."""
    app.serve(_settings(context))


@application.command()
def check(context: typer.Context, as_json: Json = False) -> None:
    """Print a line for each thing that could be wrong; exit 1 where one is."""
    path = config.find(context.obj)
    lines = list(checks.check(config.load(path), path, utc_now()))
    if as_json:
        _print_json([{"subject": line.subject, "verdict": line.verdict, "text": line.text} for line in lines])
    else:
        for line in lines:
            _out.print(f"[{_COLOURS[line.verdict]}]{line.verdict:5}[/] {escape(line.subject)}: {escape(line.text)}")
    if any(line.verdict == "fault" for line in lines):
        raise typer.Exit(1)


@application.command()
def migrate(context: typer.Context) -> None:
    """Bring the database to the newest schema."""
    _out.print(operate.migrate(_settings(context)), markup=False)


@application.command()
def demo(
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the report files; created, and emptied of an earlier demo.")
    ] = Path("demo-output"),
) -> None:
    """Run the whole main job on sample studies, on this machine alone."""
    from node import demo as demonstration  # noqa: PLC0415 - the only verb that needs it

    if not demonstration.run(out):
        raise typer.Exit(1)


@application.command()
def send(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="DICOM files, folders of them, zips of them.")],
    to: Annotated[str, typer.Option("--to", help="A peer's name, or AE@host:port.")],
    calling: Annotated[str, typer.Option("--from", help="Calling AE title; else the node's own.")] = "",
) -> None:
    """Send files by C-STORE, with progress; exit 1 where one was not stored."""
    with _progress() as progress:
        results = send_files(_settings(context), paths, to, _reporter(progress), calling)
    for result in results.failed:
        _out.print(f"not stored: {result.path}: {result.reason}", markup=False)
    if not results.stored and not results.failed:
        _out.print("no DICOM file was found there")
    _out.print(f"{results.stored} stored, {len(results.failed)} not stored, {results.skipped} not DICOM")
    if results.failed or not results.stored:
        raise typer.Exit(1)


@application.command()
def studies(
    context: typer.Context,
    study_instance_uid: Annotated[str | None, typer.Argument(help="Print everything about this one.")] = None,
    as_json: Json = False,
) -> None:
    """List the studies, or everything about one."""
    settings = _settings(context)
    if study_instance_uid is None:
        _listing(operate.studies(settings, utc_now()), as_json, operate.STUDIES_COLUMNS)
    else:
        study = operate.study(settings, study_instance_uid, utc_now())
        if as_json:
            _print_json([study])
        else:
            _out.print(explain(study), markup=False)


@application.command()
def instances(context: typer.Context, as_json: Json = False) -> None:
    """Print the stored SOP Instance UIDs, one a line."""
    rows = operate.instances(_settings(context))
    if as_json:
        _print_json(rows)
    else:
        for row in rows:
            typer.echo(row["sop_instance_uid"])


@application.command()
def queue(context: typer.Context, as_json: Json = False) -> None:
    """List the jobs that wait, run or are buried."""
    _listing(operate.queue(_settings(context)), as_json, operate.QUEUE_COLUMNS)


@application.command()
def deliveries(context: typer.Context, as_json: Json = False) -> None:
    """List the reports that are to be sent, were sent or are buried, for each peer."""
    _listing(operate.deliveries(_settings(context)), as_json, operate.DELIVERIES_COLUMNS)


@application.command()
def retry(
    context: typer.Context,
    job: Annotated[list[int] | None, typer.Option("--job", help="Id of a buried job (repeatable).")] = None,
    delivery: Annotated[list[int] | None, typer.Option("--delivery", help="Id of a buried delivery.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All buried jobs and deliveries.")] = False,
) -> None:
    """Put buried work back to waiting with fresh attempts."""
    if not (job or delivery or everything):
        raise OperatorError("say what to put back: --job ID, --delivery ID, or --all", exit_code=2)
    count = operate.retry(_settings(context), job or [], delivery or [], utc_now(), everything=everything)
    _out.print(f"{count} put back to waiting")


@application.command()
def train(
    data: Annotated[Path, typer.Option("--data", help="Folder with train.zip, val.zip and manifest.csv.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the new bundle.")],
    recipe: Annotated[str, typer.Option("--recipe", help="Name of a shipped recipe, or a TOML file.")] = "starter",
    seed: Annotated[int, typer.Option("--seed", help="The same seed and data give the same bundle.")] = 1,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the bundle that is there.")] = False,
) -> None:
    """Train a bundle from a recipe and a data set, with a progress bar."""
    with _progress() as progress:
        path = learn.train(recipe, data, out, seed, _reporter(progress), replace=replace)
    _out.print(f"bundle written to {path}", markup=False)


@application.command()
def evaluate(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    data: Annotated[Path, typer.Option("--data", help="Folder of the data set.")],
    split: Annotated[str, typer.Option("--split", help="Which split: test, val or train.")] = "test",
    as_json: Json = False,
) -> None:
    """Print a bundle's measures on a data set."""
    with _progress() as progress:
        measures = learn.evaluate(bundle, data, split, _reporter(progress))
    if as_json:
        _print_json([measures])
    else:
        for name, value in measures.items():
            _out.print(f"{name:32} {_cell(value)}", markup=False)


@models_application.callback()
def models(context: typer.Context, as_json: Json = False) -> None:
    """List the models with version, mode and measures."""
    if context.invoked_subcommand is None:
        _listing(operate.models(_settings(context)), as_json, operate.MODELS_COLUMNS)


@models_application.command("mode")
def models_mode(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    mode: Annotated[str, typer.Argument(help="shadow, active or off.")],
) -> None:
    """Change what a model's results are used for; the running node follows without a restart."""
    _out.print(operate.set_mode(_settings(context), name, mode, utc_now()), markup=False)


def _listing(rows: list[dict[str, Any]], as_json: bool, columns: tuple[str, ...]) -> None:
    if as_json:
        _print_json(rows)
        return
    table = Table(*columns, box=None, header_style="bold")
    for row in rows:
        table.add_row(*(escape(_cell(row.get(column))) for column in columns))
    _out.print(table if rows else "(none)")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_cell(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_cell, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _print_json(rows: list[Any]) -> None:
    json.dump(rows, sys.stdout, indent=2, default=str, ensure_ascii=False)
    sys.stdout.write("\n")


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _reporter(progress: Progress) -> Reporter:
    """Return a callable that moves one bar per stage: (stage, done, total)."""
    tasks: dict[str, Any] = {}

    def report(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = progress.add_task(stage, total=total)
        progress.update(tasks[stage], completed=done, total=total)

    return report
