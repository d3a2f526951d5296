"""The docs say what the program does (keys, verbs, JSON keys), and their links lead somewhere."""

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
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"


def _page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def test_the_contents_of_the_docs_name_every_page() -> None:
    """Whatever lies in docs/, but for pictures, plain reports and the decisions, which have contents of their own."""
    contents = (DOCS / "README.md").read_text(encoding="utf-8")
    named = {(DOCS / target.partition("#")[0]).resolve() for target in re.findall(r"\]\(([^):]+)\)", contents)}
    pages = {page for page in DOCS.rglob("*.md") if page.parent.name != "decisions" or page.name == "README.md"}
    assert pages - named == {DOCS / "README.md"}


def _prose(page: Path) -> str:
    """Return a page without its blocks of code, in which what looks like a link or a heading is none."""
    fenced = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^ {4}.*$", "", fenced, flags=re.MULTILINE)


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub names them: a second one of a name ends with -1."""
    found: set[str] = set()
    for title in re.findall(r"^#+ (.+)$", _prose(page), flags=re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        found.add(anchor if anchor not in found else f"{anchor}-1")
    return found


def _dead(page: Path) -> Iterator[str]:
    for link in re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", _prose(page)):
        path, _, anchor = "".join(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if re.match(r"\w+:", path) is None and (not target.exists() or (anchor and anchor not in _anchors(target))):
            yield f"{page.relative_to(ROOT)}: {path}#{anchor}"


def test_every_link_leads_to_a_file_and_a_heading_that_is_there() -> None:
    """Links within the project, on every page of it."""
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")]
    assert [dead for page in pages for dead in _dead(page)] == []


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
    for line in _page("configuration.md").splitlines():
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
    """Those of the command line, in the tables of the reference."""
    documented = set(re.findall(r"^\| `(\w+)", _page("commands.md"), flags=re.MULTILINE))
    assert documented == set(typer.main.get_group(application).list_commands(None))


def _listings(command: typer.core.TyperCommand, path: tuple[str, ...] = ()) -> Iterator[str]:
    if any("--json" in option.opts for option in command.params):
        yield " ".join(path)
    for name in getattr(command, "list_commands", lambda _: [])(None):
        yield from _listings(command.get_command(None, name), (*path, name))


def test_every_verb_that_prints_json_has_its_keys_in_the_docs() -> None:
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
    """Return the keys that the docs give for a verb; values in parentheses are left out."""
    entry = re.search(rf"^- `{verb}`: (.*?)(?=^- `|^#|\Z)", _page("json.md"), flags=re.MULTILINE | re.DOTALL)
    assert entry is not None, f"{verb} has no line in docs/reference/json.md"
    return re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", entry.group(1)))
