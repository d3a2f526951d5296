"""Rules that a house's model reads by."""

from dataclasses import replace

from node.domain.rule import Rule
from node.store.database import Transaction
from node.store.registering import registry
from tests.support.houses.house import House


def let_read_by(house: House, rule: Rule) -> None:
    """Let the one registered model read by another rule from now on."""

    def put(tx: Transaction) -> None:
        (row,) = registry.all(tx)
        registry.put(tx, replace(row, rule=rule))

    house.database.write(put)
