"""The docs say what the program does (keys, verbs, JSON keys), and their links lead somewhere."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import typer
from pydantic import BaseModel

from node import config
from node.cli import application
from tests.support.nodes.process import MODALITY, NodeFolder

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"


def _page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def _named(contents: Path) -> set[Path]:
    links = re.findall(r"\]\(([^):]+)\)", contents.read_text(encoding="utf-8"))
    return {(contents.parent / link.partition("#")[0]).resolve() for link in links} | {contents}


def test_the_contents_of_the_docs_name_every_page() -> None:
    """Decisions have contents of their own."""
    decisions = DOCS / "decisions"
    assert set(decisions.glob("*.md")) - _named(decisions / "README.md") == set()
    assert set(DOCS.rglob("*.md")) - set(decisions.glob("0*.md")) - _named(DOCS / "README.md") == set()


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
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "bench" / "README.md", *DOCS.rglob("*.md")]
    assert [dead for page in pages for dead in _dead(page)] == []


def test_every_file_of_the_project_that_a_page_names_is_there() -> None:
    """Code, tests, benchmarks and tables; decisions name what there was when they were taken."""
    pages = [ROOT / "README.md", *(page for page in DOCS.rglob("*.md") if page.parent.name != "decisions")]
    named = r"`((?:bench|docs|migrations|models|node|tests)/[\w/.-]+\.\w+)`?"
    found = {(page.name, name) for page in pages for name in re.findall(named, page.read_text(encoding="utf-8"))}
    assert len(found) > 30
    assert [(page, name) for page, name in found if not (ROOT / name).exists()] == []


def test_the_notes_of_a_version_can_be_read_through() -> None:
    """A line for what an operator sees. A merge that keeps both sides brings back what was removed: take that out."""
    versions = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## ")[1:]
    assert [version.splitlines()[0] for version in versions if len(version.splitlines()) > 120] == []


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


def _documented() -> Iterator[tuple[str, str, str]]:
    """Yield table, key and default of every row of the reference; a row may hold several, in one order."""
    for section in _page("configuration.md").split("\n## ")[1:]:
        table = section.splitlines()[0].strip("`")
        for keys, defaults in re.findall(r"^\| (`\w.*?) \| (.*?) \| ", section, flags=re.MULTILINE):
            names = re.findall(r"`(\w+)`", keys)
            each = defaults.split(", ") if len(names) > 1 else []
            yield from zip([table] * len(names), names, [*each, *[defaults] * len(names)], strict=False)


def _documented_keys() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for table, key, _ in _documented():
        found.setdefault(table, set()).add(key)
    return found


def _default(table: str, key: str) -> object:
    """Return a key's default as a configuration would write it."""
    value = _tables()[table].model_fields[key].get_default(call_default_factory=True)
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


def test_every_default_of_the_configuration_is_the_documented_one() -> None:
    """Those that are written as values; others are said in words."""
    values = [row for row in _documented() if row[2].startswith("`")]
    told = {(table, key): tomllib.loads(f"value = {default.strip('`')}")["value"] for table, key, default in values}
    assert len(told) > 80
    assert {at: _default(*at) for at in told} == told


def test_every_configuration_key_is_documented_and_no_other() -> None:
    """Table by table."""
    assert _documented_keys() == {name: set(model.model_fields) for name, model in _tables().items()}


def _verbs(command: typer.core.TyperCommand, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Yield every verb, those below another one too, with its options."""
    yield " ".join(path), {option for parameter in command.params for option in parameter.opts if option[:2] == "--"}
    for name in getattr(command, "list_commands", lambda _: [])(None):
        yield from _verbs(command.get_command(None, name), (*path, name))


def _documented_verbs(known: set[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for cell in re.findall(r"^\| (`.+?`) \| ", _page("commands.md"), flags=re.MULTILINE):
        for line in re.findall(r"`([^`]+)`", cell):
            words = line.split()
            verb = next((two for two in (" ".join(words[:2]),) if two in known), words[0])
            found.setdefault(verb, set()).update(re.findall(r"--[\w-]+", line))
    return found


def test_every_verb_and_option_is_documented_and_no_other() -> None:
    """Those of the command line, in the tables of the reference."""
    verbs = {verb: options for verb, options in _verbs(typer.main.get_group(application)) if verb}
    assert _documented_verbs(set(verbs)) == verbs


def _typed(page: Path) -> Iterator[str]:
    """Yield what a page tells its reader to type after `pacs-node`, in a block or within a sentence."""
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"^ {4}\S.*$", text, flags=re.MULTILINE))
    for line in [*re.findall(r"`(pacs-node [^`]+)`", text.replace("\n", " ")), *blocks.splitlines()]:
        yield from re.findall(r"(?:^|bin/|^ +)pacs-node (?:--config \S+ )?([a-z][^#;]*)", line)


def test_every_command_that_a_page_shows_is_one() -> None:
    """Verbs, those below them, and options: what is copied from a page is not refused for its words."""
    verbs = dict(_verbs(typer.main.get_group(application)))
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")]
    shown = [(page.name, line) for page in pages for line in _typed(page)]
    wrong = []
    for page, line in shown:
        words = line.split()
        verb = " ".join(words[:2]) if " ".join(words[:2]) in verbs else words[0]
        wrong += [(page, line)] * (not set(re.findall(r"--[\w-]+", line)) <= verbs.get(verb, set()) | {"--help"})
        wrong += [(page, line)] * (verb not in verbs)
    assert len(shown) > 100
    assert wrong == []


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
    home = NodeFolder(tmp_path, [MODALITY])
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
