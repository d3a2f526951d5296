"""What receiving has to know of the models: the devices that made their reports, and their rules."""

from dataclasses import dataclass

from node.domain.rule import Rule
from node.store.database import Transaction
from node.store.registering import registry
from node.store.tables.choices import Mode


@dataclass(frozen=True, slots=True)
class Served:
    """The models that a node serves, as plain values that another process can be given.

    Parameters
    ----------
    left_out
        Names that the registry has and the node does not serve.
    device_uids
        The Device UIDs that the reports of those carry that it served at its start.
    """

    left_out: frozenset[str]
    device_uids: frozenset[str]

    def rules(self, tx: Transaction) -> dict[str, Rule | None]:
        """Return the rules of the models by name, as the registry says now; None for one that is off."""
        rows = [row for row in registry.all(tx) if row.name not in self.left_out]
        return {row.name: None if row.mode is Mode.OFF else row.rule for row in rows}
