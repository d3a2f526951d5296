"""Many values in statements that take only so many: PostgreSQL's protocol 65,535, SQLite as it was compiled."""

from collections.abc import Iterable, Iterator

AT_ONCE = 5000
"""Values of one list; a statement may hold several times as many."""


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """Yield each value once, in lists that a statement takes."""
    wanted = sorted(set(values))
    for first in range(0, len(wanted), AT_ONCE):
        yield wanted[first : first + AT_ONCE]
