r"""What an operator asks of an archive, checked, and the studies that it names.

A long range of dates is asked day by day, because an archive may answer no more than so many matches to one question
and not say so; where it does say so for a day, that day is asked hour by hour.

References
----------
DICOM PS3.4 C.6.2.1 (Study Root keys), C.2.2.2.5 (range matching).
"""

import difflib
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase

from node.domain.errors import OperatorError
from node.domain.identifiers import is_uid
from node.network.query import CutShort, Search
from node.pipeline.progress import Reporter
from node.store.keeping.backfills import FoundStudy

#: PS3.4 Tables C.6-1 and C.6-5: what is matched at the level of the study.
KEYS = (
    *("StudyDate", "StudyTime", "AccessionNumber", "PatientName", "PatientID", "StudyID", "StudyInstanceUID"),
    *("ModalitiesInStudy", "SOPClassesInStudy", "ReferringPhysicianName", "StudyDescription", "IssuerOfPatientID"),
    *("PatientBirthDate", "PatientSex", "NameOfPhysiciansReadingStudy", "OtherPatientIDs", "StudyStatusID"),
)

_ALIASES = {"Modality": "ModalitiesInStudy"}  # what operators write; at this level there is only the other
_ASKED_FOR = ("StudyInstanceUID", "NumberOfStudyRelatedInstances", "ModalitiesInStudy", "StudyDate", "StudyTime")
_HOURS = 24
_MOST_DIGITS = 9  # of a number of images; IS has no more than 12 (PS3.5 6.2)

Found = dict[str, tuple[str, FoundStudy]]


def parse_query(text: str, today: date) -> dict[str, str]:
    """Return the keys of ``K=V,K=V`` by keyword, complete and checked.

    Raises
    ------
    OperatorError
        Naming the key or value that cannot be asked, and the nearest one that can.
    """
    query: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, is_pair, value = (piece.strip() for piece in part.partition("="))
        keyword = _ALIASES.get(key, key)
        if not is_pair or not value:
            raise _wrong(
                f"{part!r} is no key and value: write KEY=VALUE,KEY=VALUE, such as StudyDate=20260101-20260131"
            )
        if keyword not in KEYS:
            near = difflib.get_close_matches(key, [*KEYS, *_ALIASES], 1)
            raise _wrong(f"{key} is no key of a study{f'; did you mean {near[0]}?' if near else ''}: {', '.join(KEYS)}")
        query[keyword] = value
    if not query:
        raise _wrong("the query is empty: name at least one key, such as StudyDate=20260101-20260131")
    if "StudyDate" in query:
        query["StudyDate"] = _range(query["StudyDate"], today)
    return query


def _wrong(message: str) -> OperatorError:
    return OperatorError(message, exit_code=2)


def _range(value: str, today: date) -> str:
    """Return a date, or a range of two that ends today where it has no end."""
    first, is_range, last = value.partition("-")
    if is_range and not first:
        raise _wrong(f"StudyDate={value} has no beginning: write YYYYMMDD-YYYYMMDD, so that it can be asked day by day")
    begins = _date(first)
    ends = (_date(last) if last else today) if is_range else begins
    if ends < begins:
        raise _wrong(f"StudyDate={value} ends before it begins")
    return f"{begins:%Y%m%d}-{ends:%Y%m%d}" if is_range else f"{begins:%Y%m%d}"


def _date(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a date has no time zone
    except ValueError:
        raise _wrong(f"{text!r} is no date: write YYYYMMDD (DICOM PS3.5 6.2)") from None


def periods(query: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the questions that a query is put as: one for each day of its range, or itself."""
    first, is_range, last = query.get("StudyDate", "").partition("-")
    if not is_range:
        yield dict(query)
        return
    day, ends = _date(first), _date(last)
    while day <= ends:
        yield {**query, "StudyDate": f"{day:%Y%m%d}"}
        day += timedelta(days=1)


def search(asking: Search, query: Mapping[str, str], report: Reporter) -> list[FoundStudy]:
    """Return the studies that an archive says it holds, the newest first, each once.

    Raises
    ------
    OperatorError
        Where it cuts its answers short and the question cannot be made smaller.
    PeerRefused, PeerUnreachable
        Where it does not answer.
    """
    found: Found = {}
    questions = list(periods(query))
    for number, question in enumerate(questions):
        report("searching", number, len(questions))
        found |= _matches(asking, question)
    report("searching", len(questions), len(questions))
    return [study for _, study in sorted(found.values(), key=lambda one: one[0], reverse=True)]


def _matches(asking: Search, question: Mapping[str, str]) -> Found:
    wanted = [one for one in question.get("ModalitiesInStudy", "").split("\\") if one]
    answers = _answers(asking, question)
    return {
        answer["StudyInstanceUID"]: (answer.get("StudyDate", "") + answer.get("StudyTime", ""), _study(answer))
        for answer in answers
        if is_uid(answer.get("StudyInstanceUID", "")) and _has_modality(asking, answer, wanted)
    }


def _answers(asking: Search, question: Mapping[str, str]) -> list[dict[str, str]]:
    try:
        return asking.find("STUDY", {**dict.fromkeys(_ASKED_FOR, ""), **question})
    except CutShort as cut:
        answers = [answer for hour in _hours(question) for answer in _of_an_hour(asking, hour)]
        # a study without a time is in no hour: where one shows, there may be others
        if {_uid(answer) for answer in cut.found} - {_uid(answer) for answer in answers}:
            raise _too_many(question) from cut
        return answers


def _of_an_hour(asking: Search, question: Mapping[str, str]) -> list[dict[str, str]]:
    try:
        return asking.find("STUDY", {**dict.fromkeys(_ASKED_FOR, ""), **question})
    except CutShort as cut:
        raise _too_many(question) from cut


def _uid(answer: Mapping[str, str]) -> str:
    return answer.get("StudyInstanceUID", "")


def _hours(question: Mapping[str, str]) -> Iterator[dict[str, str]]:
    if "StudyTime" in question or not question.get("StudyDate"):
        raise _too_many(question)
    for hour in range(_HOURS):
        yield {**question, "StudyTime": f"{hour:02}0000-{hour:02}5959.999999"}


def _too_many(question: Mapping[str, str]) -> OperatorError:
    asked = ",".join(f"{key}={value}" for key, value in question.items())
    return OperatorError(
        f"the archive cuts its answers to {asked} short, so that studies would be missing: narrow the query, or raise "
        "the archive's limit of answers"
    )


def _study(answer: Mapping[str, str]) -> FoundStudy:
    count = answer.get("NumberOfStudyRelatedInstances", "")
    is_count = count.isascii() and count.isdecimal() and len(count) <= _MOST_DIGITS
    return FoundStudy(answer["StudyInstanceUID"], int(count) or None if is_count else None)


def _has_modality(asking: Search, answer: Mapping[str, str], wanted: list[str]) -> bool:
    """Return whether a study has a modality: matching it is optional, and some archives answer as if nothing was asked.

    One that does not even tell is asked for the study's series (PS3.4 Table C.6-5, ModalitiesInStudy is of type O).
    """
    if not wanted:
        return True
    told = answer.get("ModalitiesInStudy", "")
    if told:
        held = told.split("\\")
    else:
        series = asking.find("SERIES", {"StudyInstanceUID": answer["StudyInstanceUID"], "Modality": ""})
        held = [one.get("Modality", "") for one in series]
    return any(fnmatchcase(modality, pattern) for modality in held for pattern in wanted)
