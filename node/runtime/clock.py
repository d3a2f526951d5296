"""The one clock of a running node; everything that asks for the time is handed it."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time now, aware."""
    return datetime.now(UTC)
