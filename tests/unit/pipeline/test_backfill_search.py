"""What an operator asks of an archive: checked, asked day by day, and never cut short in silence."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from node.domain.errors import OperatorError
from node.network.peer import PeerAddress, PeerRefused
from node.network.query import CutShort
from node.pipeline.fetching.backfill_search import parse_query, periods, search
from node.store.keeping.backfills import FoundStudy

TODAY = date(2026, 2, 3)
PEER = PeerAddress("ARCHIVE", "archive", 104)


class Asked:
    """Stands where an association would: answers from a list of studies, no more than so many at once."""

    def __init__(self, *studies: Mapping[str, str], most: int = 1000, refuses_with: int = 0xA700) -> None:
        """Hold these studies."""
        self.studies, self.most, self.refuses_with = studies, most, refuses_with
        self.questions: list[dict[str, str]] = []

    def find(self, level: str, keys: Mapping[str, str]) -> list[dict[str, str]]:
        """Answer, or say that there is more."""
        self.questions.append({"level": level, **keys})
        if level == "SERIES":
            return [{"Modality": study["Modality"]} for study in self.studies]
        found = [dict(study) for study in self.studies if _matches(study, keys)]
        if len(found) > self.most:
            refused = PeerRefused(PEER, "C-FIND", self.refuses_with)
            raise CutShort(refused, found[: self.most]) if self.refuses_with == 0xA700 else refused
        return found


def _matches(study: Mapping[str, str], keys: Mapping[str, str]) -> bool:
    first, _, last = keys.get("StudyTime", "").partition("-")
    on_day = keys.get("StudyDate", "") in ("", study["StudyDate"])
    return on_day and (not first or first <= study["StudyTime"] <= last)


def study(uid: str, day: str = "20260101", time: str = "101500", **more: str) -> dict[str, str]:
    """Return what an archive answers of a study."""
    return {"StudyInstanceUID": uid, "StudyDate": day, "StudyTime": time} | more


def found(asked: Asked, query: str) -> list[str]:
    """Return the UIDs that a search finds."""
    told: list[Any] = []
    studies = search(asked, parse_query(query, TODAY), lambda *progress: told.append(progress))  # type: ignore[arg-type]
    assert told[-1][1] == told[-1][2]
    return [one.study_instance_uid for one in studies]


def test_a_query_is_taken_apart_and_modality_is_that_of_the_study() -> None:
    """At the level of the study there is ModalitiesInStudy alone."""
    parsed = parse_query(" StudyDate=20260101-20260131, Modality=DX ", TODAY)
    assert parsed == {"StudyDate": "20260101-20260131", "ModalitiesInStudy": "DX"}
    assert parse_query("StudyDate=20260131-", TODAY)["StudyDate"] == "20260131-20260203"
    assert parse_query("PatientID=7", TODAY) == {"PatientID": "7"}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "the query is empty"),
        ("StudyDate", "write KEY=VALUE"),
        ("StudyDat=20260101", "did you mean StudyDate"),
        ("BodyPartExamined=CHEST", "no key of a study"),
        ("StudyDate=2026-01-01", "no date"),
        ("StudyDate=-20260101", "has no beginning"),
        ("StudyDate=20260201-20260101", "ends before it begins"),
        ("StudyDate=20260230", "'20260230' is no date"),
    ],
)
def test_what_cannot_be_asked_is_said_with_the_way_out(query: str, said: str) -> None:
    """Usage errors, before anybody is asked."""
    with pytest.raises(OperatorError, match=said) as caught:
        parse_query(query, TODAY)
    assert caught.value.exit_code == 2


def test_a_range_is_asked_day_by_day() -> None:
    """Over the end of a month, too; other keys go with each."""
    asked = list(periods({"StudyDate": "20260130-20260202", "PatientSex": "F"}))
    assert [one["StudyDate"] for one in asked] == ["20260130", "20260131", "20260201", "20260202"]
    assert {one["PatientSex"] for one in asked} == {"F"}
    assert list(periods({"PatientID": "7"})) == [{"PatientID": "7"}]


def test_the_newest_study_comes_first_and_each_once() -> None:
    """Whatever the order of the answers."""
    asked = Asked(study("1.1"), study("1.2", "20260102"), study("1.3", time="235900"), study("1.2", "20260102"))
    assert found(asked, "StudyDate=20260101-20260103") == ["1.2", "1.3", "1.1"]


def test_a_day_that_is_cut_short_is_asked_hour_by_hour() -> None:
    """So that a limit of answers leaves out nothing."""
    asked = Asked(*(study(f"1.{hour}", time=f"{hour:02}3000") for hour in range(24)), most=5)
    assert len(found(asked, "StudyDate=20260101")) == 24


def test_what_cannot_be_made_smaller_is_no_answer() -> None:
    """An hour with too many studies, and a query without a date: refused, never a part of it."""
    crowded = Asked(*(study(f"1.{number}") for number in range(9)), most=5)
    for query in ("StudyDate=20260101", "PatientSex=F", "StudyDate=20260101,StudyTime=1000-1100"):
        with pytest.raises(OperatorError, match="cuts its answers"):
            found(crowded, query)


def test_studies_without_a_time_are_not_lost_when_a_day_is_asked_by_the_hour() -> None:
    """They are in no hour, so the answer would not be whole."""
    asked = Asked(*(study(f"1.{number}", time="") for number in range(9)), most=5)
    with pytest.raises(OperatorError, match="cuts its answers to StudyDate=20260101 short"):
        found(asked, "StudyDate=20260101")


def test_another_failure_is_the_archives_word() -> None:
    """It is not asked again in other words."""
    refusing = Asked(study("1.1"), most=0, refuses_with=0xA900)
    with pytest.raises(PeerRefused, match="0xA900"):
        found(refusing, "StudyDate=20260101")
    assert len(refusing.questions) == 1


def test_modalities_are_looked_at_here_too() -> None:
    """Matching them is optional at an archive; one that does not tell them is asked for its series."""
    told = Asked(study("1.1", ModalitiesInStudy="CT\\SR"), study("1.2", ModalitiesInStudy="DX"))
    assert found(told, "Modality=DX") == ["1.2"]
    assert sorted(found(told, "Modality=D*\\CT")) == ["1.1", "1.2"]
    silent = Asked(study("1.3", Modality="DX"))
    assert found(silent, "Modality=DX") == ["1.3"]
    assert found(silent, "Modality=CT") == []


def test_what_is_no_study_is_left_out_and_a_strange_count_is_none() -> None:
    """A malformed UID would name nothing; a count that is none is not expected."""
    asked = Asked(study("../1"), study("1.1", NumberOfStudyRelatedInstances="7"))
    assert found(asked, "PatientID=7") == ["1.1"]
    for count, expected in (("7", 7), ("0", None), ("", None), ("many", None)):
        asked = Asked(study("1.1", NumberOfStudyRelatedInstances=count))
        studies = search(asked, {"PatientID": "7"}, lambda *_: None)  # type: ignore[arg-type]
        assert studies == [FoundStudy("1.1", expected)]


@pytest.mark.parametrize(
    ("count", "images"), [("12", 12), ("0", None), ("", None), ("9" * 5000, None), ("\u0664", None)]
)
def test_a_number_of_images_that_is_none_is_not_known(count: str, images: int | None) -> None:
    """Five thousand digits, or digits of another script, end no search."""
    asked: Any = Asked(study("1.1", NumberOfStudyRelatedInstances=count))
    assert search(asked, {"PatientID": "7"}, lambda *_: None) == [FoundStudy("1.1", images)]
