"""The manual says what the program does: keys, verbs, JSON keys."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import typer
from pydantic import BaseModel

from node import config
from node.cli import application
from tests.support.nodes import NodeFolder, Peer

ROOT = Path(__file__).resolve().parents[1]
MANUAL = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")


def test_the_contents_of_the_manual_name_every_section() -> None:
    """At its top, each with a link to it."""
    contents, _, rest = MANUAL.partition("\n## ")
    listed = re.findall(r"\]\(#([\w-]+)\)", contents)
    headings = re.findall(r"^## (.+)$", f"## {rest}", flags=re.MULTILINE)
    assert sorted(listed) == sorted(re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings)


def test_the_service_is_given_longer_to_stop_than_a_node_takes_to_drain() -> None:
    """Else what it was about to finish is killed."""
    (seconds,) = re.findall(r"TimeoutStopSec=(\d+)", (ROOT / "docs" / "running.md").read_text(encoding="utf-8"))
    assert int(seconds) > config.NodeSettings.model_fields["drain_timeout_s"].default


def _tables() -> dict[str, type[BaseModel]]:
    tables = {}
    for name, field in config.Settings.model_fields.items():
        model = (get_args(field.annotation) or (field.annotation,))[0]
        tables[f"[[{name}]]" if get_args(field.annotation) else f"[{name}]"] = model
    return tables


def _documented_keys() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    table = ""
    section = MANUAL.split("## Configuration")[1].split("## Answers")[0]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < 4 or not cells[2].startswith("`"):
            continue
        table = cells[1].strip("`") or table
        found.setdefault(table, set()).update(re.findall(r"`(\w+)`", cells[2]))
    return found


def test_every_configuration_key_is_documented_and_no_other() -> None:
    """Table by table."""
    assert _documented_keys() == {name: set(model.model_fields) for name, model in _tables().items()}


def test_every_verb_is_documented_and_no_other() -> None:
    """Those of the command line, in the manual's table."""
    section = MANUAL.split("## Commands")[1].split("### JSON")[0]
    documented = set(re.findall(r"^\| `(\w+)", section, flags=re.MULTILINE))
    assert documented == set(typer.main.get_group(application).list_commands(None))


def _listings(command: typer.core.TyperCommand, path: tuple[str, ...] = ()) -> Iterator[str]:
    if any("--json" in option.opts for option in command.params):
        yield " ".join(path)
    for name in getattr(command, "list_commands", lambda _: [])(None):
        yield from _listings(command.get_command(None, name), (*path, name))


def test_every_verb_that_prints_json_has_its_keys_in_the_manual() -> None:
    """Also those below another verb."""
    assert [verb for verb in _listings(typer.main.get_group(application)) if not documented_json_keys(verb)] == []


def test_the_json_keys_of_every_listing_are_the_documented_ones(tmp_path: Path) -> None:
    """Of listings that have rows in a fresh node; the others are compared where there are studies."""
    home = NodeFolder(tmp_path, [Peer("modality", "MODALITY", 104, may_send=True)])
    home.write()
    assert home.run("migrate").returncode == 0
    (line, *_) = home.listing("check")
    assert set(line) == set(documented_json_keys("check"))
    assert home.listing("studies") == home.listing("queue") == home.listing("deliveries") == []


def documented_json_keys(verb: str) -> list[str]:
    """Return the keys that the manual gives for a verb; values in parentheses are left out."""
    text = MANUAL.split("### JSON")[1].split("## Configuration")[0]
    entry = re.search(rf"^- `{verb}`: (.*?)(?=^- `|\Z)", text, flags=re.MULTILINE | re.DOTALL)
    assert entry is not None, f"{verb} has no line in the manual, under JSON"
    return re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", entry.group(1)))
