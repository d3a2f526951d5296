"""The rows of a file of labels, each checked by itself; it knows no database."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from node.domain.errors import OperatorError
from node.domain.identifiers import is_uid
from node.domain.label_text import Vocabulary, normalised, said_of_classes
from node.pipeline.labels.label_policy import LabelPolicy
from node.store.labelling.label_places import Place

_PLACES = ("accession", "study", "series", "instance")
_KNOWN = (*_PLACES, "class", "present", "reader", "time")
_OTHER_NAMES = {
    "accession_number": "accession",
    "study_instance_uid": "study",
    "series_instance_uid": "series",
    "sop_instance_uid": "instance",
    "class_name": "class",
    "made_at": "time",
}
_YES = frozenset({"yes", "true", "1", "present", "positive", "y", "是", "有", "阳性"})
_NO = frozenset({"no", "false", "0", "absent", "negative", "n", "否", "无", "阴性"})
_LONGEST = 256  # characters of a name or a number
_CLOCKS_MAY_DIFFER = timedelta(minutes=5)

Faults = list[tuple[int, str]]
"""Numbers of lines, each with what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One label of a file."""

    number: int  #: of its line in the file, the header being 1
    place: Place
    class_name: str
    present: bool
    reader: str
    made_at: datetime  #: aware
    has_time_of_day: bool

    @property
    def subject(self) -> tuple[object, ...]:
        """What it speaks of, and whose word of what time it is."""
        return self.place, self.class_name, self.reader, self.made_at


def rows_of(file: Path, policy: LabelPolicy, now: datetime) -> tuple[list[Row], Faults]:
    """Return the rows of a file, and what is wrong with those that are left out.

    Raises
    ------
    OperatorError
        Where it cannot be read, or its header is not one of labels.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise OperatorError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise OperatorError(f"{file} is not UTF-8 (line {line}): save it as CSV UTF-8") from error
    header = text.partition("\n")[0]
    separator = next((mark for mark in ("\t", ";") if mark in header), ",")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, restkey="", strict=True)
    _check_header(file, reader)
    rows, faults = list[Row](), Faults()
    try:
        for values in reader:
            row = _row(reader.line_num, values, policy, now)
            (rows if isinstance(row, Row) else faults).append(row)  # type: ignore[arg-type]
    except csv.Error as error:
        faults.append((reader.line_num, f"it cannot be taken apart: {error}"))
    return rows, faults + _contradictions(rows)


def _check_header(file: Path, reader: "csv.DictReader[str]") -> None:
    names = [_column(name) for name in reader.fieldnames or ()]
    unknown = [name for name in names if name not in _KNOWN]
    missing = [name for name in ("class", "reader", "time") if name not in names]
    if unknown or missing or len(set(names)) < len(names) or not set(names) & set(_PLACES):
        raise OperatorError(
            f"{file}: the header is {','.join(names) or '(empty)'}: it needs class, reader, time, and one or more of "
            f"{', '.join(_PLACES)}; and may have present; each once and nothing else"
        )
    reader.fieldnames = names


def _column(name: str | None) -> str:
    plain = (name or "").strip().lower()
    return _OTHER_NAMES.get(plain, plain)


def _row(
    number: int, raw: Mapping[str | None, str | None], policy: LabelPolicy, now: datetime
) -> Row | tuple[int, str]:
    """Return the row, or its line with all that is wrong with it."""
    if "" in raw or None in raw.values():
        return number, "it has more or fewer columns than the header"
    values = {name: (raw.get(name) or "").strip() for name in _KNOWN}
    faults = list(_faults_of_places(values))
    said = _said(values["class"], values["present"], policy.vocabulary)
    time = _time(values["time"], policy, now)
    reader = values["reader"]
    faults += [fault for fault in (said, time) if isinstance(fault, str)]
    faults += [] if 0 < len(reader) <= _LONGEST else ["it needs a reader, of 256 characters at most"]
    if faults or isinstance(said, str) or isinstance(time, str):
        return number, "; ".join(faults)
    return Row(
        number,
        Place(*(values[name] for name in _PLACES)),
        *said,
        reader,
        time,
        has_time_of_day=len(values["time"]) > len("2026-01-02"),
    )


def _faults_of_places(values: Mapping[str, str]) -> Iterable[str]:
    if not any(values[name] for name in _PLACES):
        yield f"it names nothing: one of {', '.join(_PLACES)} is needed"
    for name in ("study", "series", "instance"):
        if values[name] and not is_uid(values[name]):
            yield f"{name} {values[name]!r} is no UID: digits and dots, at most 64 (DICOM PS3.5 9.1)"
    if len(values["accession"]) > _LONGEST:
        yield "the accession number has more than 256 characters"


def _said(text: str, present: str, known: Vocabulary) -> tuple[str, bool] | str:
    """Return the class and whether it is there, or what is wrong with it."""
    plain = normalised(text)
    exact = next((name for name in known.classes if normalised(name) == plain), None)
    found = said_of_classes(text, known)
    if exact is None and len(found) != 1:
        names = ", ".join(sorted(known.classes))
        return f"class {text!r} names no class, or several; known: {names} ([labels] aliases adds names)"
    name, says = (exact, True) if exact is not None else (found[0].class_name, found[0].present)
    if says is None:
        return f"class {text!r}: {found[0].why_not}"
    if not present:
        return name, says
    answer = normalised(present)
    if answer not in _YES | _NO:
        return f"present {present!r} is neither yes nor no"
    if not says:
        return f"class {text!r} negates itself, and present says it again: leave one of them out"
    return name, answer in _YES


def _time(text: str, policy: LabelPolicy, now: datetime) -> datetime | str:
    try:
        time = policy.aware(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return f"time {text!r} is none of ISO 8601, such as 2026-01-02T15:04:05+01:00"
    return f"time {text!r} lies ahead" if time > now + _CLOCKS_MAY_DIFFER else time


def _contradictions(rows: Iterable[Row]) -> Faults:
    first, faults = dict[tuple[object, ...], Row](), Faults()
    for row in rows:
        other = first.setdefault(row.subject, row)
        if other.present != row.present:
            faults.append((row.number, f"it contradicts line {other.number}: the same reader at the same time"))
    return faults
