"""Column types that mean the same on SQLite and PostgreSQL."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Enum, Integer, String, Text
from sqlalchemy.types import TypeDecorator

UID = String(64)
"""A DICOM unique identifier that was checked to be one (DICOM PS3.5 9.1)."""

NUMBER = BigInteger().with_variant(Integer(), "sqlite")
"""A row number or a size: 64 bits on both; SQLite counts up by itself only in a column declared INTEGER."""

_CHOICE_LENGTH = 16


class UTCDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC.

    SQLite has no time zones: there the value is text of fixed width in UTC, so that comparing text compares times.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware time into UTC; a naive one is a programming error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{dialect.name}: a stored time must be aware")
        return value.astimezone(UTC)

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """Return the conversion; an arrival stores the same time ten times, so the last ones are remembered."""
        convert = super().bind_processor(dialect)
        return None if convert is None else _remembered(dialect.name, convert)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base's signature
        """Return the time as aware UTC, whatever the driver's session says."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class PlainText(TypeDecorator[str]):
    """Text from outside, stored without what a database refuses.

    PostgreSQL takes no NUL and neither takes half of a surrogate pair; both come in what peers send and in the
    messages of exceptions.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the base's signature
        """Replace NUL and lone surrogates."""
        return _storable(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None]:  # noqa: ARG002 - the base's signature
        """Return the conversion itself: an arrival stores some forty texts."""
        return _storable


def _storable(text: str | None) -> str | None:
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


_TIMES: dict[str, Callable[[datetime | None], Any]] = {}


def _remembered(dialect: str, convert: Callable[[datetime | None], Any]) -> Callable[[datetime | None], Any]:
    """Return the one conversion of times for a kind of database, which all columns share."""
    return _TIMES.setdefault(dialect, lru_cache(maxsize=256)(convert))


def choice(values: type[StrEnum], constraint: str) -> Enum:
    """Return a string column that takes only the values of `values`, by a CHECK constraint of that name."""
    return Enum(
        values,
        name=constraint,
        native_enum=False,  # a native PostgreSQL type cannot take a new value inside a transaction
        create_constraint=True,
        length=_CHOICE_LENGTH,
        values_callable=lambda members: [member.value for member in members],
    )
