"""Text that wants to be something else: kept byte for byte, and harmless wherever an operator reads it."""

import json
import tomllib
import unicodedata
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from node.cli import application
from tests.support.nodes.receiving import ReceivingNode
from tests.support.objects.raw_dataset import (
    ACCESSION,
    CHARACTER_SET,
    PATIENT_ID,
    PATIENT_NAME,
    STUDY,
    Instance,
    Value,
    ct,
    text,
    uid,
)

_STUDY_DESCRIPTION, _MODALITY, _BODY_PART, _MANUFACTURER = 0x00081030, 0x00080060, 0x00180015, 0x00080070
_WORDS = (PATIENT_NAME, PATIENT_ID, ACCESSION, _STUDY_DESCRIPTION, _MODALITY, _BODY_PART, _MANUFACTURER)
_DATES = (0x00080020, 0x00080030, 0x00100030, 0x00101010, 0x00080021, 0x00080031)

#: Stands in every value that says who a patient is, and so may stand in no line of the log.
_SECRET = b"Geheim"

_TEXTS = {
    "NUL": b"a\0b",
    "newlines": b"a\r\nb\nc\x0b\x0cd",
    "terminal escapes": b"\x1b[31mred\x1b[0m \x1b]0;title\x07",
    "C1 controls": b"\x9b31m\x85\x8d",
    "every control character": bytes(range(1, 32)) + b"\x7f",
    "HTML": b"<script>alert('x')</script><img src=x onerror=alert(1)>",
    "SQL": b"'; DROP TABLE instances; -- \" OR 1=1",
    "markup of the console": b"[red]x[/red] [/] [bold",
    "formats": b"%s%n%x {0} {} ${HOME} $(id) `id`",
    "JSON": b'","x":"\\u0000"}',
    "TOML": b'"\nmay_send = true\n[[peers]]',
    "bytes that are no UTF-8": b"\xff\xfe\xc3\x28\x80",
}
_IN_CHARACTER_SETS = {
    "an unknown character set": (b"ISO_IR 9999", b"M\xfcller"),
    "a character set of garbage": (b"\0\x1b;DROP\\\\\\", b"M\xfcller"),
    "every character set at once": (b"ISO 2022 IR 87\\ISO_IR 192\\GB18030\\ISO_IR 100", b"\x1b$B;3ED\x1b(B^\x1b$B"),
    "escape sequences that end nowhere": (b"ISO 2022 IR 87", b"\x1b$B\x1b$(D\x1b"),
    "controls of writing direction": (b"ISO_IR 192", "abc\u202edef\u2066\u2028\u2029\u200b".encode()),
    "lone surrogates": (b"ISO_IR 192", b"\xed\xa0\x80\xed\xbf\xbf"),
    "Chinese, and an emoji": (b"ISO_IR 192", "王^小东 \N{HEAVY BLACK HEART}".encode()),
    "half a character of GB18030": (b"GB18030", b"\x81"),
}
_BAD_DATES = {
    "no such day": b"20261345",
    "words": b"tomorrow",
    "the year 9999": b"99991231",
    "the year 0": b"00000000",
    "dashes": b"2026-01-02",
    "a range": b"20260101-",
    "long": b"9" * 64,
}

Changes = dict[int, tuple[str, Value]]


def _with_words(said: bytes, character_set: bytes = b"") -> Changes:
    """Return a text as the value of every element that a row, a listing or a page could show."""
    words: Changes = {tag: ("LO", text(_SECRET + said)) for tag in _WORDS}
    return words | ({CHARACTER_SET: ("CS", text(character_set))} if character_set else {})


def _cases() -> Iterator[tuple[str, Changes]]:
    for name, said in _TEXTS.items():
        yield name, _with_words(said)
    for name, (character_set, said) in _IN_CHARACTER_SETS.items():
        yield name, _with_words(said, character_set)
    for name, said in _BAD_DATES.items():
        yield f"a date: {name}", {tag: ("DA", text(said)) for tag in _DATES}
    yield "private elements", dict.fromkeys((0x00091001, 0x00110010, 0x7FE10010), ("UN", _SECRET * 100))
    yield "values that are missing", dict.fromkeys((*_WORDS, *_DATES), ("LO", b""))
    yield "a negative number of frames", {0x00280008: ("IS", b"-1")}
    yield "numbers that are words", dict.fromkeys((0x00280008, 0x00280010, 0x00280011), ("IS", b"many"))


_CASES = dict(_cases())


def _in_its_own_study(node: ReceivingNode, changes: Changes) -> Instance:
    number = node.uid()
    return ct(number, changes={STUDY: uid(f"{number}.1"), **changes})


def _study(instance: Instance) -> str:
    return f"{instance.sop_instance_uid}.1"


def _odd_characters(shown: str) -> set[str]:
    """Return what a terminal, a page or a log collector could take for something else than text."""
    categories = {"Cc", "Cs", "Zl", "Zp"}
    direction = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    return {one for one in set(shown) - {"\n"} if unicodedata.category(one) in categories or one in direction}


def _assert_log_is_harmless(said: str) -> None:
    assert _odd_characters(said) == set()
    assert _SECRET.decode() not in said


@pytest.mark.parametrize("changes", _CASES.values(), ids=_CASES)
def test_it_is_0x0000_and_kept_as_it_came(changes: Changes, node: ReceivingNode) -> None:
    """Whatever it says; the log says nothing of it."""
    before = len(node.log())
    instance = _in_its_own_study(node, changes)
    node.stores(instance)
    assert node.rows("SELECT count(*) FROM studies WHERE study_instance_uid = :uid", uid=_study(instance)) == [(1,)]
    _assert_log_is_harmless(node.log()[before:])


def test_every_listing_shows_it_safely(node: ReceivingNode) -> None:
    """Tables and JSON, of all studies and of each; a line of text stays one line."""
    instances = [_in_its_own_study(node, changes) for changes in _CASES.values()]
    peer = node.associate()
    for instance in instances:
        node.stores(instance, peer)
    studies = [_study(instance) for instance in instances]
    for verb in (["studies"], ["instances"], ["check"], *(["studies", one] for one in studies)):
        assert _odd_characters(_shown(node, *verb)) == set(), verb
    for verb in (["studies"], ["instances"], ["queue"], ["check"], ["studies", studies[0]]):
        json.loads(_shown(node, *verb, "--json"))
    listed = {row["study_instance_uid"] for row in json.loads(_shown(node, "studies", "--json"))}
    assert listed >= set(studies)
    assert len(_shown(node, "studies").splitlines()) == len(listed) + 1


def _shown(node: ReceivingNode, *verb: str) -> str:
    done = CliRunner().invoke(application, ["--config", str(node.process.home.configuration), *verb])
    assert done.exit_code == 0 or verb[0] == "check", done.output
    return done.stdout


@pytest.mark.parametrize(
    "title",
    [
        pytest.param(b"\x1b[31mred", id="terminal escapes"),
        pytest.param(b"a\nb", id="a newline"),
        pytest.param(b"a\0b", id="a NUL"),
        pytest.param(b"<script>", id="HTML"),
        pytest.param(b"'; DROP TABLE", id="SQL"),
        pytest.param(b'x"\nmay_send=1', id="TOML"),
        pytest.param(b"[red]x[/red]", id="markup of the console"),
        pytest.param(b"M\xfcller", id="bytes beyond ASCII"),
        pytest.param(b"\xe2\x80\xae\xe2\x80\xa8", id="controls of writing direction"),
        pytest.param(b"../../etc", id="a path"),
        pytest.param(b"a\\b", id="a backslash"),
    ],
)
def test_a_title_that_wants_to_be_something_else_is_turned_away_and_shown_safely(
    title: bytes, node: ReceivingNode
) -> None:
    """It is in the log, in the database and in `check`, which tells how to let a caller in."""
    before = len(node.log())
    for side, codes in (("calling", (1, 1, 3)), ("called", (1, 1, 7))):
        answer = node.connect().request(**{side: title})
        assert answer is not None
        assert answer.codes == codes
    _assert_log_is_harmless(node.log()[before:])
    assert _odd_characters(_shown(node, "check")) == set()
    lines = json.loads(_shown(node, "check", "--json"))
    told = [line["text"] for line in lines if line["subject"] == "refused caller"]
    assert {one.split("rejected: ", 1)[1].split(" ", 1)[0] for one in told} >= {"calling", "called"}
    for one in told:
        tables = tomllib.loads(one.partition("let it in with\n")[2])
        assert [peer["ae_title"] for peer in tables.get("peers", [])] in ([], [one.rsplit(" at ", 1)[0]])


def test_a_path_in_the_place_of_a_uid_names_no_file(node: ReceivingNode) -> None:
    """Neither in a command nor in a dataset; nothing appears outside the store, or in it."""
    files, outside = node.files(), node.everything()
    for said in ("../../../../../../etc/pacs-node-was-here", "/etc/pacs-node-was-here", "..", "a/../../b"):
        assert node.status_of(Instance(said, ct(said).dataset)) == 0xA900
        assert node.status_of(ct(node.uid(), changes={STUDY: uid(said)})) == 0xA900
    assert (node.files(), node.everything()) == (files, outside)
