"""The five fields of cron as crontab(5) means them: what may stand in them, and days of the week by their names.

It knows no clock. Libraries count the days of the week from Monday, crontab from Sunday: names mean the same to both.
"""

from dataclasses import dataclass

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
"""By their numbers in crontab; 7 is Sunday, too."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class _Field:
    called: str
    first: int
    last: int
    names: tuple[str, ...] = ()  #: of `first` and those after it


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, WEEKDAYS),
)


def named_weekdays(cron: str) -> str:
    """Return five fields of cron with the days of the week as names, such as ``0 2 * * sun,sat``.

    Raises
    ------
    ValueError
        Where they are not five, one holds what it may not, or the day never comes.
    """
    fields = cron.split()
    if len(fields) != len(_FIELDS):
        raise ValueError('a schedule has the five fields of cron, such as "0 2 * * *", or is empty: then it is off')
    meant = [_numbers(text, field) for text, field in zip(fields, _FIELDS, strict=True)]
    if not any(day <= _LONGEST_MONTHS[month - 1] for day in meant[2] for month in meant[3]):
        raise ValueError(f"the schedule {cron!r} never comes: no such month has such a day")
    if fields[4] != "*":
        days = {number % len(WEEKDAYS) for number in meant[4]}
        fields[4] = ",".join(WEEKDAYS[day] for day in sorted(days))
    return " ".join(fields)


def _numbers(text: str, field: _Field) -> set[int]:
    """Return all that a field means."""
    found = set[int]()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        every = _number(step, field) if slash else 1
        if every < 1:
            raise ValueError(f"the {field.called} {text!r} has no steps of {step!r}")
        first, last = _span(span, field, open_ended=bool(slash))
        if first > last:
            raise ValueError(f"the {field.called} {text!r} ends before it begins")
        found.update(range(first, last + 1, every))
    return found


def _span(span: str, field: _Field, *, open_ended: bool) -> tuple[int, int]:
    if span == "*":
        return field.first, field.last
    begin, dash, end = span.partition("-")
    first = _inside(begin, field)
    if dash:
        return first, _inside(end, field)
    return first, field.last if open_ended else first


def _inside(text: str, field: _Field) -> int:
    lowered = text.lower()
    number = field.names.index(lowered) + field.first if lowered in field.names else _number(text, field)
    if not field.first <= number <= field.last:
        raise ValueError(f"the {field.called} {text!r} is not within {field.first} to {field.last}")
    return number


def _number(text: str, field: _Field) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"the {field.called} {text!r} is no number, and nothing else that cron knows")
    return int(text)
