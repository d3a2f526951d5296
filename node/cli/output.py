"""What the verbs print with: tables, JSON, progress bars."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from node import config
from node.cli import table_layout
from node.cli.row_numbers import how_many
from node.pipeline.check_line import CheckLine
from node.pipeline.progress import Reporter

_COLOURS = {"ok": "green", "note": "yellow", "fault": "red"}
SECONDS_A_LINE = 30.0
"""Between two lines of progress in a file or a pipe."""

console = Console(soft_wrap=True, highlight=False, emoji=False)  # an error of "host:100: ..." is no picture
Json = Annotated[bool, typer.Option("--json", help="Print one JSON array with documented keys.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", parser=how_many, help="List the newest so many; 0: all.")]


def settings_of(context: typer.Context) -> config.Settings:
    """Return the checked configuration that the command line points at."""
    return config.load(config.find(context.obj))


def listing(
    rows: list[dict[str, Any]], as_json: bool, columns: tuple[str, ...], titles: Mapping[str, str] | None = None
) -> None:
    """Print rows as a table of some columns, or as JSON with all keys; `titles` of keys that say too little."""
    if as_json:
        print_json(rows)
        return
    shown = {column: (titles or {}).get(column, column) for column in columns}
    table([{title: cell(row.get(column)) for column, title in shown.items()} for row in rows])


def table(rows: table_layout.Rows) -> None:
    """Print rows of text under their keys: whole on a terminal of any width, one line a row in a file or a pipe."""
    if not rows:
        console.print("(none)")
        return
    one_line_each = [{name: " ".join(text.split("\n")) for name, text in row.items()} for row in rows]
    laid_out = table_layout.lines(one_line_each, console.width if sys.stdout.isatty() else None)
    for line in laid_out.heading:
        console.print(line, style="bold", markup=False)
    console.print("\n".join(laid_out.body), markup=False)


def say_limit(count: int, limit: int, what: str, as_json: bool) -> None:
    """Tell a person that there may be more than the so many that were listed."""
    if limit and count >= limit and not as_json:
        console.print(f"the newest {limit} {what} are listed; --limit 0 lists all")


def check_lines(lines: Iterable[CheckLine], as_json: bool) -> None:
    """Print what was looked at, a line each as it comes, or as JSON; exit 1 where one is a fault."""
    found = []
    for line in lines:
        found.append(line)
        if not as_json:
            console.print(f"[{_COLOURS[line.verdict]}]{line.verdict:5}[/] {escape(line.subject)}: {escape(line.text)}")
    if as_json:
        print_json([{"subject": line.subject, "verdict": line.verdict, "text": line.text} for line in found])
    if any(line.verdict == "fault" for line in found):
        raise typer.Exit(1)


def cell(value: Any) -> str:
    """Return a value as a person reads it in a table."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return "; ".join(f"{key}: {cell(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(cell, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def print_json(rows: list[Any]) -> None:
    """Print one JSON array."""
    json.dump(rows, sys.stdout, indent=2, default=str, ensure_ascii=False)
    sys.stdout.write("\n")


def progress_bars() -> Progress:
    """Return bars on stderr, with the time left; where that is no terminal, none are drawn."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    stderr = Console(stderr=True)
    return Progress(*columns, console=stderr, disable=not stderr.is_terminal)


def reporter(progress: Progress, clock: Callable[[], float] = time.monotonic) -> Reporter:
    """Return a callable that moves one bar per stage: (stage, done, total).

    Where no bars are drawn, because stderr is a file or a pipe, it prints what is under way, a plain line every
    `SECONDS_A_LINE`.
    """
    return _lines(progress.console, clock) if progress.disable else _bars(progress)


def _lines(out: Console, clock: Callable[[], float]) -> Reporter:
    under_way: dict[str, str] = {}
    printed = clock()

    def report(stage: str, done: int, total: int) -> None:
        nonlocal printed
        under_way.pop(stage, None)
        if done < total:
            under_way[stage] = f"{stage}: {done} of {total}"
        if clock() - printed >= SECONDS_A_LINE and under_way:
            printed = clock()
            out.print(", ".join(under_way.values()), markup=False, highlight=False, soft_wrap=True)

    return report


def _bars(progress: Progress) -> Reporter:
    tasks: dict[str, Any] = {}

    def report(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = progress.add_task(stage, total=total)
        progress.update(tasks[stage], completed=done, total=total)

    return report
