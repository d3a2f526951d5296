"""What receiving has to know of the models: their names, the devices that made their reports, and their rules."""

from dataclasses import dataclass

from node.domain.rule import Rule
from node.store import registry
from node.store.database import Transaction
from node.store.tables import Mode


@dataclass(frozen=True, slots=True)
class Served:
    """The models that a node serves, as plain values that another process can be given.

    Parameters
    ----------
    names
        Those of the registry that the node serves since its start.
    device_uids
        The Device UIDs that their reports carry.
    """

    names: frozenset[str]
    device_uids: frozenset[str]

    def rules(self, tx: Transaction) -> dict[str, Rule | None]:
        """Return the rules of the models by name, as the registry says now; None for one that is off."""
        rows = [row for row in registry.all(tx) if row.name in self.names]
        return {row.name: None if row.mode is Mode.OFF else row.rule for row in rows}
