"""What a person sees on a terminal of 80 columns."""

import contextlib
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from node.domain.finding import Outcome
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.instance import InstanceHeader
from node.store.arriving import arrivals
from node.store.arriving.instances import NewInstance
from node.store.database import Database, Transaction
from node.store.sending import outbox
from node.store.tables.choices import InstanceKind
from node.store.working import analyses
from node.store.working.analyses import NewAnalysis, NewRendition
from tests.support.databases.kinds import MakeFolder
from tests.support.nodes.process import NodeFolder, Peer
from tests.support.nodes.terminal import seen_on_a_terminal

UID = "1.2.826.0.1.3680043.8.498.73626277730630661776332312633134469166"  # of 64 characters, the longest there are
OTHER = UID[:-1] + "7"
ACCESSION = "ACC-1234567890AB"
ERROR = "archive answered 0xA700, out of resources, and said nothing of when it would have some again, nor of why"
NOW = datetime(2026, 1, 2, 12, 30, 15, 123456, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, lasting_node_folder: MakeFolder) -> NodeFolder:
    """Give a database with two studies, one of which has a report that its peer refused for good."""
    folder = lasting_node_folder(tmp_path_factory.mktemp("terminal"), [Peer("archive", "ARCHIVE", 104, may_send=True)])
    folder.write()
    assert folder.run("migrate").returncode == 0
    with contextlib.closing(Database.open(folder.url)) as database:
        database.write(_received)
        database.write(_refused)
    return folder


def _received(tx: Transaction) -> None:
    arrivals.add_all(tx, [_instance(study) for study in (UID, OTHER)])


def _instance(study: str) -> NewInstance:
    header = InstanceHeader(
        "1.2.840.10008.5.1.4.1.1.1.1",
        sop_instance_uid=f"{study[:-2]}1" if study == UID else f"{study[:-2]}2",
        study_instance_uid=study,
        series_instance_uid="1.2.3",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        modality="DX",
        accession_number=ACCESSION,
        has_pixels=True,
    )
    path = Path("instances") / f"{study[-1]}.dcm"
    return NewInstance(header, str(path), 1000, "SCANNER", "PACSNODE", "127.0.0.1", NOW, InstanceKind.IMAGE, {})


def _refused(tx: Transaction) -> None:
    made = NewAnalysis(StudyInstanceUID(UID), "starter", "1", Outcome.POSITIVE, "d", "c", "k", NOW)
    analysis = analyses.add(tx, made)
    report = "1.2.840.10008.5.1.4.1.1.88.34", SOPInstanceUID(OTHER), SeriesInstanceUID("2.25.9"), "1.2.840.10008.1.2"
    outbox.add(tx, analysis, "archive", analyses.add_rendition(tx, analysis, NewRendition(*report, b"report")), NOW)
    claimed = outbox.claim(tx, NOW, 60, "w1", ["archive"])
    assert claimed is not None
    outbox.fail(tx, claimed, NOW, ERROR, permanent=True, jitter=random.Random(1))


def test_every_uid_and_accession_number_of_the_studies_stands_whole(home: NodeFolder) -> None:
    """They are what the next command is given; no line is wider than the terminal."""
    lines = seen_on_a_terminal(home.command("studies"), 80)
    assert {UID, OTHER} < {word for line in lines for word in line.split()}
    assert sum(ACCESSION in line for line in lines) >= 1
    assert "…" not in "".join(lines)
    assert max(map(len, lines)) <= 80
    assert any("2026-01-02T12:30:15Z" in line for line in lines)


def test_the_error_of_a_delivery_stands_whole(home: NodeFolder) -> None:
    """It is why an operator asks."""
    lines = seen_on_a_terminal(home.command("deliveries"), 80)
    assert ERROR in " ".join(line.strip() for line in lines)
    assert UID in {line.strip() for line in lines}
    assert max(map(len, lines)) <= 80


def test_a_pipe_gets_one_line_a_row_with_every_column(home: NodeFolder) -> None:
    """For programs that read lines; columns that are empty or alike in all rows are there, too."""
    heading, *rows = home.run("studies").stdout.splitlines()
    assert {"study_instance_uid", "synthetic", "turned_away"} < set(heading.split())
    assert {row.split()[0] for row in rows} == {UID, OTHER}
