"""The node's database, opened by a verb beside the running node."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

from node.config import Settings
from node.domain.errors import OperatorError
from node.store import notices, schema
from node.store.database import Database, Transaction

T = TypeVar("T")

_ANSWER_WITHIN_S = 600.0  # a listing of years may take its time: an operator waits, and no peer does


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Open the node's database beside the running node, which is woken where anything was written.

    Raises
    ------
    OperatorError
        Where it does not exist yet or is at another schema version.
    """
    url = settings.database.url
    if schema.current(url) is None:
        raise OperatorError(
            "the database is empty: start the node once with `pacs-node serve`, or run `pacs-node migrate`"
        )
    schema.check(url)
    with closing(Database.open(url, answer_within_s=_ANSWER_WITHIN_S, data_dir=settings.node.data_dir)) as database:
        try:
            yield database
        finally:
            if database.commits:
                notices.ring(url)


def read_once(settings: Settings, work: Callable[[Transaction], T]) -> T:
    """Return what reading the node's database gives, opened for that alone; it raises what `open_database` raises."""
    with open_database(settings) as database:
        return database.read(work)


def write_once(settings: Settings, work: Callable[[Transaction], T]) -> T:
    """Return what a change of the node's database gives, once it is committed, as `read_once` does."""
    with open_database(settings) as database:
        return database.write(work)
