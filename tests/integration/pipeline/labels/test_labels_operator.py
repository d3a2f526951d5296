"""Labels from files, and what an operator settles: conflicts, what no rule reads, rows that were wrong."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from node.domain.errors import OperatorError
from node.domain.label import LabelLevel
from node.pipeline.checks import label_checks
from node.pipeline.labels import label_import, listed, resolving
from node.pipeline.operator import operate
from node.pipeline.operator.study_text import explain
from node.store.keeping import retention
from tests.support.houses.house import House, radiograph
from tests.support.houses.labelling import current, mark, said
from tests.support.houses.labelling import listed as rows_of
from tests.support.houses.labelling import read as read_objects
from tests.support.houses.line import Line
from tests.support.objects.labels import ABSENT, IMAGE, PRESENT, coded, ohif, weasis
from tests.test_docs import documented_json_keys

SECOND, HEADER = "1.2.3.1.2", "accession,study,series,instance,class,present,reader,time"
WHEN = "2026-01-02T11:00:00+00:00"

Import = Callable[..., str]


@pytest.fixture
def bring_in(house: House, tmp_path: Path) -> Import:
    """Return what imports rows under a header."""

    def work(*rows: str, header: str = HEADER) -> str:
        file = tmp_path / "labels.csv"
        file.write_text("\n".join([header, *rows]), encoding="utf-8")
        return label_import.bring_in(house.settings(), file, "ada", house.clock())

    return work


def test_rows_of_every_kind_are_brought_in_once(house: House, bring_in: Import) -> None:
    """By accession number, study, series and instance; the same file again brings nothing."""
    house.receive(radiograph(accession_number="A1"))
    rows = (
        f"A1,,,,no pneumonia,,Grey,{WHEN}",
        f",1.2.3,,,Pneumonia,no,House,{WHEN}",
        f",,1.2.3.1,,PNEUMONIA,absent,Wilson,{WHEN}",
        f",,,{IMAGE},肺炎,否,Cuddy,2026-01-02T12:00+01:00",
    )
    assert bring_in(*rows) == "4 labels imported, 0 were here already"
    assert bring_in(*rows) == "0 labels imported, 4 were here already"
    (label,) = current(house)
    assert (label.present, label.readers) == (False, ("Cuddy", "Grey", "House", "Wilson"))
    assert {row["made_at"] for row in rows_of(house)} == {WHEN}
    assert {(row["recorded_by"], row["rule"], row["result_visible"]) for row in rows_of(house)} == {
        ("ada", "row", False)
    }


def test_rows_for_what_is_not_here_wait_for_it(house: House, bring_in: Import) -> None:
    """By the accession number, too."""
    said_so = bring_in(f"A1,,,,pneumonia,yes,Grey,{WHEN}", f",,,{SECOND},pneumonia,yes,Grey,{WHEN}")
    assert said_so == "2 labels imported, 0 were here already; 2 of them wait for their images"
    assert current(house) == []
    house.receive(radiograph(accession_number="A1"))
    house.receive(radiograph(accession_number="A1", sop_instance_uid=SECOND))
    assert set(said(house)) == {(IMAGE, "pneumonia"), (SECOND, "pneumonia")}


@pytest.mark.database("any")
def test_every_wrong_row_is_named_and_nothing_is_imported(house: House, bring_in: Import) -> None:
    """With its line and all that is wrong with it."""
    house.receive(radiograph(accession_number="A1"))
    with pytest.raises(OperatorError) as error:
        bring_in(
            f",1.2.3,,,pneumonia,yes,Grey,{WHEN}",
            f",1..2,,,pneumonia,maybe,Grey,{WHEN}",
            f",,,,pneumonia,yes,Grey,{WHEN}",
            f",1.2.3,,,fracture,yes,Grey,{WHEN}",
            ",1.2.3,,,pneumonia,yes,,2026-13-01",
            f",9.9,,{IMAGE},pneumonia,yes,Grey,{WHEN}",
            f"A2,1.2.3,,,pneumonia,yes,Grey,{WHEN}",
            f",1.2.3,,,pneumonia,no,Grey,{WHEN}",
            ",1.2.3,,,pneumonia,yes,Grey,2036-01-01",
            f",1.2.3,,,pneumonia not excluded,,Grey,{WHEN}",
            ",1.2.3",
        )
    lines = str(error.value).splitlines()
    assert "nothing was imported, 10 rows are wrong" in lines[0]
    assert [line.split(":")[0].strip() for line in lines[1:]] == [f"line {number}" for number in range(3, 13)]
    expected = (
        *("no UID", "names nothing", "names no class", "needs a reader", "not of study 9.9", "accession number A1"),
        *("contradicts line 2", "lies ahead", "in doubt", "columns"),
    )
    assert all(words in line for words, line in zip(expected, lines[1:], strict=True))
    assert "neither yes nor no" in lines[1]
    assert "none of ISO 8601" in lines[4]
    assert rows_of(house) == []


@pytest.mark.database("any")
@pytest.mark.parametrize("header", ["study,class,reader", "study,class,reader,time,note", "class,reader,time", ""])
def test_a_file_with_another_header_is_refused(house: House, bring_in: Import, header: str) -> None:
    """A column that it does not know could hold anything."""
    with pytest.raises(OperatorError, match="it needs class, reader, time"):
        bring_in(header=header)


def test_a_conflict_is_settled_by_an_operator_until_a_reader_disagrees_anew(house: House) -> None:
    """Who settled it, and when, is kept."""
    house.receive(radiograph())
    mark(house, coded(PRESENT))
    mark(house, coded(ABSENT, uid="1.2.77.8", reader="Grey^Meredith"))
    assert len(rows_of(house, "conflict")) == 2
    (line,) = label_checks.lines(house.database)
    assert "readers disagree on 1 images" in line.text
    resolving.resolve(house.settings(), IMAGE, "pneumonia", "ada", house.clock(), present=True)
    assert said(house) == {(IMAGE, "pneumonia"): True}
    (mine,) = rows_of(house, "current")
    assert (mine["reader"], mine["recorded_by"], mine["source_kind"]) == ("operator ada", "ada", "operator")
    with pytest.raises(OperatorError, match=r"^1\.2\.3\.4: no object, image or study of this UID is here"):
        resolving.resolve(house.settings(), "1.2.3.4", "pneumonia", "ada", house.clock(), present=True)
    with pytest.raises(OperatorError, match="readers do not disagree"):
        resolving.resolve(house.settings(), IMAGE, "pneumonia", "ada", house.clock(), present=True)
    mark(house, coded(ABSENT, uid="1.2.77.9", reader="Wilson^James"))
    assert current(house) == []


@pytest.mark.database("any")
def test_what_no_rule_reads_is_settled_for_all_images_that_it_names(house: House) -> None:
    """In the name of the reader who made it; or it labels nothing, and is listed no more."""
    house.receive(radiograph())
    house.receive(radiograph(sop_instance_uid=SECOND))
    mark(house, weasis("?", images=[IMAGE, SECOND]))
    mark(house, ohif("hm"))
    resolving.resolve(house.settings(), "1.2.77.1", "pneumonia", "ada", house.clock(), present=False)
    assert said(house) == {(IMAGE, "pneumonia"): False, (SECOND, "pneumonia"): False}
    assert {row["reader"] for row in rows_of(house, "current")} == {"somebody at PACS"}
    assert "label recorded" in [entry["event"] for entry in Line(house).study()["timeline"]]
    resolving.dismiss(house.settings(), "1.2.77.3", "ada", house.clock())
    assert [row["state"] for row in rows_of(house)] == ["current", "current"]
    resolving.dismiss(house.settings(), "1.2.77.1", "ada", house.clock())
    assert (current(house), len(rows_of(house, "withdrawn"))) == ([], 2)


@pytest.mark.database("any")
def test_only_what_came_can_be_settled_and_only_for_a_class_that_is_known(house: House) -> None:
    """With the way out."""
    settings = house.settings()
    house.receive(radiograph())
    with pytest.raises(OperatorError, match="known: pneumonia"):
        resolving.resolve(settings, IMAGE, "fracture", "ada", house.clock(), present=True)
    with pytest.raises(OperatorError, match="labels anything"):
        resolving.dismiss(settings, "1.2.99", "ada", house.clock())
    with pytest.raises(OperatorError, match="no such object came"):
        listed.read_again(settings, "1.2.99", "ada", house.clock())
    with pytest.raises(OperatorError, match="--state nonsense"):
        listed.listed(settings, "nonsense", None)


@pytest.mark.database("any")
def test_objects_are_read_again_when_an_operator_says_so(house: House) -> None:
    """All that gave no label so far, and nothing that was settled."""
    house.receive(radiograph())
    mark(house, weasis("hm"))
    mark(house, ohif("hm"))
    resolving.dismiss(house.settings(), "1.2.77.3", "ada", house.clock())
    assert listed.read_again(house.settings(), "", "ada", house.clock()).startswith("1 objects")
    assert read_objects(house) == 1


def test_labelled_studies_outlive_their_age(house: House) -> None:
    """And so do those with an object that is not read yet; the reason is listed."""
    house.receive(radiograph())
    line = Line(house)
    line.report()
    claimed = line.claim_delivery()
    assert claimed is not None
    house.execute("UPDATE deliveries SET state = 'done'")
    later = house.clock.now + timedelta(days=40)
    assert len(house.database.read(lambda tx: retention.removable(tx, later))) == 1
    mark(house, weasis("pneumonia"))
    assert house.database.read(lambda tx: retention.removable(tx, later)) == []
    ((_, why),) = house.database.read(lambda tx: retention.kept(tx, later))
    assert "it is labelled" in why


@pytest.mark.database("any")
def test_the_listing_has_the_documented_keys_and_the_study_tells_its_labels(house: House, bring_in: Import) -> None:
    """In the manual, and as a person reads a study."""
    house.receive(radiograph())
    mark(house, weasis("pneumonia"))
    mark(house, ohif("hm"))
    bring_in(f",1.2.3,,,pneumonia,yes,Grey,{WHEN}")
    rows = listed.listed(house.settings(), "", None)
    assert {frozenset(row) for row in rows} == {frozenset(documented_json_keys("labels"))}
    told = explain(operate.study(house.settings(), "1.2.3", house.clock()))
    assert "Label pneumonia for 1.2.3.1.1 by somebody at PACS" in told
    assert "Label pneumonia for the study by Grey" in told
    assert "Label object 1.2.77.3 by somebody at PACS: unmapped" in told
    assert {label.level for label in current(house)} <= set(LabelLevel)
