"""What one engine has compiled, another of its kind runs; values go in and come out as they do without that."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select

from node.store.arriving.instances import NewInstance
from node.store.connection.engines import _ALIKE
from node.store.database import Database
from node.store.tables.image_tables import Instance


def test_a_second_node_on_a_database_compiles_nothing_anew(
    url: str, add_instance: Callable[..., NewInstance], now: datetime
) -> None:
    """Times, JSON and text are converted for it as for the first."""
    asked = select(Instance.received_at, Instance.header, Instance.sop_instance_uid).where(Instance.received_at <= now)
    seen, counts = [], []
    for uid in ("1.2.3.1", "1.2.3.2"):
        database = Database.open(url)
        database.write(lambda tx, uid=uid: add_instance(tx, uid, patient_name="Müller^Ä"))
        seen.append([tuple(row) for row in database.read(lambda tx: tx.execute(asked).all())])
        counts.append(len(_ALIKE["execution_options"]["compiled_cache"]))
        database.close()
    assert counts[0] == counts[1]
    (first,) = seen[0]
    assert first[0] == now
    assert first[1]["patient_name"] == "Müller^Ä"
    assert [row[2] for row in seen[1]] == ["1.2.3.1", "1.2.3.2"]
    assert seen[1][0] == first
