"""Which files the rows refer to, in an order in which they can be compared with those on the disk."""

from collections.abc import Iterator

from sqlalchemy import select, union, update

from node.store.database import Transaction
from node.store.tables import Instance, InstanceCopy

_FETCHED_AT_ONCE = 1000


def in_order(tx: Transaction) -> Iterator[str]:
    """Yield the path of every file that a row refers to, each once, in the order of their characters.

    A few are held at a time, however many there are; the iterator is used up inside of the transaction. While a node
    runs, a file is kept a moment before its row.
    """
    paths = union(select(Instance.path), select(Instance.newest_path), select(InstanceCopy.path)).subquery()
    is_postgresql = tx.get_bind().dialect.name == "postgresql"
    # by itself PostgreSQL sorts by the rules of a language, and so in another order than the names of files
    key = paths.c.path.collate("C") if is_postgresql else paths.c.path
    return iter(tx.scalars(select(paths.c.path).order_by(key).execution_options(yield_per=_FETCHED_AT_ONCE)))


def replace(tx: Transaction, sop_uid: str, gone: str, by: str) -> None:
    """Let the rows of an instance that name a file that is gone name another copy of it."""
    for table in (Instance, InstanceCopy):
        rows = update(table).where(table.sop_instance_uid == sop_uid, table.path == gone)
        tx.execute(rows.values(path=by), execution_options={"synchronize_session": False})
