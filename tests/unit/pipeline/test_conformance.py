"""The statements say what this configuration does, and those in docs/ what the sample configuration does."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.filereader import read_dataset

from node import __version__, config
from node.dicom.companions.plain_text import build_text
from node.dicom.companions.rejection_note import build_rejection_note
from node.domain.rejection import RejectionCode
from node.domain.report import BASIC_TEXT_SR
from node.network.presentation import STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES
from node.network.refused import Rejection
from node.pipeline.operator.conformance import conformance_statement, integration_statement
from tests.support.objects.heat_maps import built, hot_at
from tests.support.objects.rich_header import enrich
from tests.support.objects.studies import study_of

_ROOT = Path(__file__).resolve().parents[3]
_COMMITMENT = "[commitment]\nserve = true\n"


@pytest.fixture(scope="module")
def sample() -> str:
    """Return the statement of the sample configuration."""
    return conformance_statement(config.load(_ROOT / "config.toml"))


def _with(tmp_path: Path, more: str) -> config.Settings:
    text = (_ROOT / "config.toml").read_text(encoding="utf-8")
    (tmp_path / "config.toml").write_text(text.replace('name = "pacs"\n', f'name = "pacs"\n{more}', 1) + _COMMITMENT)
    return config.load(tmp_path / "config.toml")


@pytest.mark.parametrize(
    ("page", "write"), [("conformance.md", conformance_statement), ("ihe-integration.md", integration_statement)]
)
def test_the_page_in_the_docs_is_that_of_the_sample_configuration(page: str, write: object) -> None:
    """Written again with `pacs-node --config config.toml conformance > docs/conformance.md`, and with --ihe."""
    written = write(config.load(_ROOT / "config.toml"))  # type: ignore[operator]
    assert (_ROOT / "docs" / page).read_text(encoding="utf-8") == written.replace(
        f"pacs-node {__version__}", "pacs-node"
    )


def test_every_sop_class_and_transfer_syntax_that_is_taken_is_named(sample: str) -> None:
    """By its UID, in the lists of storage as SCP."""
    storage = sample.split("### 3.2")[1].split("### 3.3", maxsplit=1)[0]
    listed = set(re.findall(r"\| ([0-9.]+) \|$", storage, re.MULTILINE))
    assert listed == STORAGE_SOP_CLASSES | set(TRANSFER_SYNTAXES)


def test_every_status_and_rejection_of_the_docs_is_named(sample: str) -> None:
    """What a peer may be answered stands in both."""
    manual = (_ROOT / "docs" / "reference" / "answers-on-the-wire.md").read_text(encoding="utf-8")
    statuses = set(re.findall(r"^\| (0x[0-9A-F]{4}) \|", manual, re.MULTILINE))
    storage = sample.split("### 3.2")[1].split("### 3.3", maxsplit=1)[0]
    assert statuses
    assert [status for status in statuses if f"| {status} |" not in storage] == []
    assert all(f"({', '.join(map(str, one.codes))}) | {one.reason} |" in sample for one in Rejection)


def test_every_code_of_a_report_stands_in_the_tree(sample: str) -> None:
    """The model's own classes, the outcomes and the reasons, among them those of an image that was not assessed."""
    tree = sample.split("Content tree")[1]
    for code in ("233604007, SCT", "52101004, SCT", "2667000, SCT", "111222, DCM", "111225, DCM", "128619, DCM"):
        assert f"({code}, " in tree


def test_what_a_peer_asks_for_is_claimed_and_nothing_else(sample: str, tmp_path: Path) -> None:
    """Storage commitment, roles and rejection notes appear where they are configured."""
    asked = conformance_statement(_with(tmp_path, "storage_commitment = true\ntakes_rejection_notes = true\n"))
    commitment = r"\| Storage Commitment \| Storage Commitment Push Model \| {} \| {} \|"
    assert re.search(commitment.format("yes", "yes"), asked)
    assert re.search(commitment.format("no.*", "no.*"), sample)
    key_objects = "1.2.840.10008.5.1.4.1.1.88.59 | Implicit VR Little Endian"
    assert (key_objects in asked, key_objects in sample) == (True, False)


def _listed(page: str, begins: str, ends: str) -> set[tuple[str, str]]:
    part = page.split(begins)[1].split(ends, maxsplit=1)[0]
    return set(re.findall(r"^\| (\([0-9A-F]{4},[0-9A-F]{4}\)) \| .* \| ([A-Z]{2}) \|$", part, re.MULTILINE))


def _elements(encoded: bytes) -> set[tuple[str, str]]:
    dataset = read_dataset(io.BytesIO(encoded), is_implicit_VR=True, is_little_endian=True)
    return {(f"({one.tag.group:04X},{one.tag.element:04X})", one.VR) for one in dataset}


@pytest.mark.parametrize("case", ["predecessor", "one of two images"])
def test_whatever_stands_in_what_is_sent_stands_in_the_lists(sample: str, tmp_path: Path, case: str) -> None:
    """Of one object of each kind, made of a source whose header says all that a hospital's may say."""
    study = study_of(tmp_path, case, "ISO_IR 192").saying(synthetic=True, unread=1)
    enrich(study.sources[0])
    report, heat_map = study.report(), built(study, hot_at(2, 5)) if case == "predecessor" else b""
    made = {
        "## 6": report,
        "### 7.1": build_text(study.content, replace(study.identity, sop_class_uid=BASIC_TEXT_SR), study.sources),
        "### 7.2": heat_map,
        "### 7.3": build_rejection_note(report, RejectionCode.WORKLIST, "Why.", study.content.created_at),
    }
    copied = _listed(sample, "Also, where", "Content tree")
    assert len(_elements(report) & copied) > 20
    for section, encoded in made.items():
        listed = _listed(sample, f"\n{section}", "\n## " if section == "### 7.3" else "\n###")
        listed |= _listed(sample, "### 6.1", "Also, where") if section == "## 6" else set()
        assert _elements(encoded) - listed - copied == set()
