"""Which files the rows refer to, in an order in which they can be compared with those on the disk."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select, union, update

from node.store.database import Transaction
from node.store.tables.image_tables import Instance, InstanceCopy

_FEW_AT_A_TIME = {"yield_per": 1000}


@dataclass(frozen=True, slots=True)
class NamedPath:
    """The path of a file that a row refers to."""

    path: str
    removed: bool  #: for its age: the file is not there, or on its way out


def in_order(tx: Transaction) -> Iterator[NamedPath]:
    """Yield the path of every file that a row refers to, each once, in the order of their characters.

    A few are held at a time, however many there are; the iterator is used up inside of the transaction. While a node
    runs, a file is kept a moment before its row.
    """
    removed = Instance.removed_at.is_not(None).label("removed")
    of_copies = select(InstanceCopy.path.label("path"), removed).join(Instance)
    named = union(select(Instance.path, removed), select(Instance.newest_path, removed), of_copies).subquery()
    is_postgresql = tx.get_bind().dialect.name == "postgresql"
    # by itself PostgreSQL sorts by the rules of a language, and so in another order than the names of files
    key = named.c.path.collate("C") if is_postgresql else named.c.path
    rows = tx.execute(select(named.c.path, named.c.removed).order_by(key), execution_options=_FEW_AT_A_TIME)
    return (NamedPath(path, bool(gone)) for path, gone in rows)


def replace(tx: Transaction, sop_uid: str, gone: str, by: str, size_bytes: int) -> None:
    """Let the rows of an instance that name a file that is gone name another copy of it, of so many bytes."""
    for table in (Instance, InstanceCopy):
        rows = update(table).where(table.sop_instance_uid == sop_uid, table.path == gone)
        tx.execute(rows.values(path=by, size_bytes=size_bytes), execution_options={"synchronize_session": False})
