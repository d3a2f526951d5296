"""Each verb is read from its own file, and that file alone."""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from typer.testing import CliRunner

from node.cli import main
from node.cli.main import application

ROOT = Path(__file__).resolve().parents[3]


def test_every_verb_is_found_where_the_command_line_looks_first() -> None:
    """One that is missed there is found by reading all files, which takes a second."""
    group = typer.main.get_group(application)
    verbs = set(group.list_commands(None))
    assert verbs == set(main._FILE_OF)
    for verb, file in main._FILE_OF.items():
        callback = group.commands[verb].callback
        assert callback is not None
        assert callback.__module__ == f"node.cli.{file}"


def _every(command: typer.core.TyperCommand, context: typer.Context) -> Iterator[tuple[str, typer.core.TyperCommand]]:
    yield context.command_path, command
    for name in getattr(command, "list_commands", lambda _: [])(context):
        verb = command.get_command(context, name)
        yield from _every(verb, typer.Context(verb, info_name=name, parent=context))


def test_the_help_of_every_verb_says_all_that_stands_in_its_text() -> None:
    """And of its options; a word in brackets would be taken for a colour, and left out."""
    group = typer.main.get_group(application)
    for path, verb in _every(group, typer.Context(group, info_name="pacs-node")):
        done = CliRunner().invoke(application, [*path.split()[1:], "--help"])
        shown = re.sub(r"[\s\u2500-\u257f]+", "", done.output)
        texts = [verb.help or "", *(option.help or "" for option in verb.params if hasattr(option, "help"))]
        assert [text for text in texts if re.sub(r"\s+", "", text) not in shown] == [], path


def test_no_verb_takes_a_number_of_rows_that_no_database_holds() -> None:
    """Of all whole numbers these two count no rows: what seeds a generator, and how many studies it makes."""
    group = typer.main.get_group(application)
    refused = []
    for path, verb in _every(group, typer.Context(group, info_name="pacs-node")):
        hints = inspect.signature(verb.callback).parameters if verb.callback else {}
        for option in verb.params:
            if option.name not in {"seed", "count"} and "int" in re.findall(r"\w+", str(hints.get(option.name))):
                given = [name for name in option.opts if name.startswith("--")] or ["--"]
                for number in ("99999999999999999999", "-1"):
                    done = CliRunner().invoke(application, [*path.split()[1:], *given, number])
                    assert (done.exit_code, "is no whole number from" in done.output) == (2, True), (path, given)
                refused.append(path)
    assert len(refused) > 10


def test_a_listing_reads_no_library_of_dicom_of_numbers_and_of_servers() -> None:
    """They take longer to load than the listing takes."""
    heavy = ("pydicom", "pynetdicom", "numpy", "alembic", "psycopg")
    listings = ("studies", "queue", "holds", "instances")
    code = (
        "import sys, typer; from node.cli import application; "
        f"[typer.main.get_group(application).get_command(None, verb) for verb in {listings}]; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
