"""Column types that mean the same on both databases."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql, sqlite

from node.store.tables.column_types import PlainText, UTCDateTime

DIALECTS = [sqlite.dialect(), postgresql.dialect()]
BEIJING = timezone(timedelta(hours=8))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_time_is_bound_in_utc(dialect: Dialect) -> None:
    """So that times of different zones compare as text on SQLite."""
    bound = UTCDateTime().process_bind_param(datetime(2026, 3, 1, 20, 0, tzinfo=BEIJING), dialect)

    assert bound == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert bound.hour == 12


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_naive_time_is_a_programming_error(dialect: Dialect) -> None:
    """Guessing its zone would move it by hours."""
    with pytest.raises(ValueError, match="aware"):
        UTCDateTime().process_bind_param(datetime(2026, 3, 1), dialect)  # noqa: DTZ001 - the case


def test_what_comes_back_is_aware_utc() -> None:
    """SQLite returns it without a zone, PostgreSQL in the zone of the session."""
    naive = UTCDateTime().process_result_value(datetime(2026, 3, 1, 12, 0), DIALECTS[0])  # noqa: DTZ001 - the case
    zoned = UTCDateTime().process_result_value(datetime(2026, 3, 1, 20, 0, tzinfo=BEIJING), DIALECTS[1])

    assert naive == zoned == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert zoned.tzinfo is UTC


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("A\0B", "A\N{REPLACEMENT CHARACTER}B"), ("A\ud800B", "A?B"), ("', --\r\n<b>", "', --\r\n<b>"), ("肺炎", "肺炎")],
)
def test_text_that_a_database_refuses_is_replaced(sent: str, kept: str) -> None:
    """NUL and half a surrogate pair go; everything else stays as it was sent."""
    assert PlainText().process_bind_param(sent, DIALECTS[1]) == kept
