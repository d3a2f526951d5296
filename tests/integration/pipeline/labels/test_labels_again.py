"""Labels looked at anew: by the rules of today, and by readers who do not say who they are."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from node.domain.label_text import vocabulary
from node.pipeline.labels import listed
from tests.support.houses.house import House, radiograph
from tests.support.houses.labelling import POLICY, current, mark, read, said
from tests.support.houses.labelling import listed as rows_of
from tests.support.objects.labels import IMAGE, at, ohif, standard, weasis


def test_labels_of_older_rules_are_named_and_read_once_more_only_where_that_is_said(house: House) -> None:
    """They stand until then; what today's rules give as well is not named."""
    older = replace(POLICY, vocabulary=vocabulary({"pneumonia": ["lung like liver"]}, {}))
    house.receive(radiograph())
    mark(house, standard("113000", "lung like liver", uid="1.2.77.20"), policy=older)
    mark(house, standard("113000", "pneumonia", uid="1.2.77.21", reader="House^Gregory"), policy=older)
    settings = house.settings()

    text = listed.read_again(settings, "", "ada", house.clock())

    assert text.startswith("0 objects are read again")
    assert "1 objects gave labels by older rules or words that today's do not give: 1.2.77.20." in text
    assert (read(house), len(rows_of(house, "current"))) == (0, 2)
    assert listed.read_again(settings, "", "ada", house.clock(), changed=True).startswith("1 objects are read again")
    assert read(house) == 1
    (label,) = current(house)
    assert label.readers == ("House^Gregory",)
    assert [row["source_uid"] for row in rows_of(house, "unmapped")] == ["1.2.77.20"]


@pytest.mark.database("any")
def test_what_an_operator_settled_and_what_cannot_be_read_is_not_named(house: House) -> None:
    """Nobody knows what a file that is gone would say today."""
    older = replace(POLICY, vocabulary=vocabulary({"pneumonia": ["lung like liver"]}, {}))
    house.receive(radiograph())
    mark(house, ohif("lung like liver"), policy=older)
    for path in (house.folder / "instances").rglob("*.dcm"):
        path.unlink()
    assert listed.read_again(house.settings(), "", "ada", house.clock()).endswith("or at its next start")


def test_unnamed_readers_of_two_series_who_disagree_are_a_conflict(house: House) -> None:
    """They may be two persons at one AE title; of one series the newer object counts."""
    house.receive(radiograph())
    for number, (words, hour) in enumerate((("pneumonia", 10), ("no pneumonia", 11)), 1):
        mark(house, at(weasis(words, uid=f"1.2.77.{number}"), datetime(2026, 1, 2, hour, tzinfo=UTC)))
    assert current(house) == []
    assert [row["state"] for row in rows_of(house)] == ["conflict", "conflict"]
    changed = at(weasis("pneumonia", uid="1.2.77.9"), datetime(2026, 1, 2, 12, tzinfo=UTC))
    changed.SeriesInstanceUID = "1.2.77.2.0"
    mark(house, changed)
    assert said(house) == {(IMAGE, "pneumonia"): True}
    assert sorted(row["state"] for row in rows_of(house)) == ["current", "current", "superseded"]
