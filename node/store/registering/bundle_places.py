"""Where bundles lie, as rows keep it: relative to the data folder where they lie in it, so that it can be moved.

A row says ``./bundles/NAME`` then; whoever asks gets the whole path. A shipped bundle's name, and a folder elsewhere,
stand as they are.
"""

from sqlalchemy import select, update

from node.store.database import DATA_DIR, Transaction
from node.store.tables.version_tables import ModelVersion, RegisteredModel

_HERE = "./"


def kept(tx: Transaction, bundle: str) -> str:
    """Return a bundle's place as a row keeps it."""
    data_dir = _data_dir(tx)
    return _HERE + bundle.removeprefix(data_dir) if data_dir and bundle.startswith(data_dir) else bundle


def found(tx: Transaction, place: str) -> str:
    """Return a bundle's place as it is meant."""
    return _data_dir(tx) + place.removeprefix(_HERE) if place.startswith(_HERE) else place


def keep_all(tx: Transaction) -> None:
    """Keep every place so that was written down as a whole path, by an older program or without a data folder."""
    for table in (RegisteredModel, ModelVersion):
        for place in tx.scalars(select(table.bundle).where(table.bundle.startswith("/")).distinct()).all():
            tx.execute(update(table).where(table.bundle == place).values(bundle=kept(tx, place)))


def _data_dir(tx: Transaction) -> str:
    """Return the data folder with a slash at its end; "" where the database was opened without one."""
    data_dir: str = tx.get_bind().get_execution_options().get(DATA_DIR, "")
    return data_dir
