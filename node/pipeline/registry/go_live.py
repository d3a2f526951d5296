"""What a model needs before its results reach anybody but test peers: the recorded validation of its very version.

[go_live] require_validation = false puts that responsibility on the site.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from node.store import audit
from node.store.database import Transaction
from node.store.registering import registry, validations
from node.store.registering.registry import Registration
from node.store.tables.choices import Mode


def missing(tx: Transaction, model: Registration) -> str | None:
    """Return why a model may not be active where a validation is required, or None where it has one."""
    if validations.latest(tx, model.name, model.version) is not None:
        return None
    other = validations.latest_of_any(tx, model.name)
    if other is None:
        return "it has no recorded local validation"
    return (
        f"version {model.version} has no recorded local validation (that of version {other.version}, recorded "
        f"{other.approved_at:%Y-%m-%d} by {other.approved_by}, is of another device)"
    )


def enforce(tx: Transaction, now: datetime, *, required: bool) -> Sequence[Registration]:
    """Put what is active without a validation into shadow, and return those models.

    Parameters
    ----------
    tx
        The transaction.
    now
        Aware.
    required
        Whether the site asks for validations; where it does not, nothing is done.
    """
    fallen = [row for row in registry.all(tx) if required and row.mode is Mode.ACTIVE and missing(tx, row) is not None]
    for row in fallen:
        reason = missing(tx, row)
        registry.set_mode(tx, row.name, Mode.SHADOW)
        changed: dict[str, Any] = {"before": Mode.ACTIVE.value, "after": Mode.SHADOW.value, "reason": reason}
        audit.add(tx, now, "model mode changed", model=row.name, version=row.version, **changed)
    return fallen
