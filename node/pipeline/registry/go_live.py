"""What a model needs before its results reach anybody but test peers: the recorded validation of its very version.

[go_live] require_validation = false puts that responsibility on the site.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from node.config import Settings
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


def enforce(
    tx: Transaction, now: datetime, *, required: bool, replaced: Mapping[str, str] = MappingProxyType({})
) -> Sequence[Registration]:
    """Put what is active without a validation into shadow, and return those models.

    Parameters
    ----------
    tx
        The transaction.
    now
        Aware.
    required
        Whether the site asks for validations; where it does not, nothing is done.
    replaced
        The versions that served before, by model, where nobody but a bundle that was changed took their place.
    """
    fallen = [row for row in registry.all(tx) if required and row.mode is Mode.ACTIVE and missing(tx, row) is not None]
    for row in fallen:
        reason = missing(tx, row)
        registry.set_mode(tx, row.name, Mode.SHADOW)
        changed: dict[str, Any] = {"before": Mode.ACTIVE.value, "after": Mode.SHADOW.value, "reason": reason}
        changed |= {"replaced": replaced[row.name]} if row.name in replaced else {}
        audit.add(tx, now, "model mode changed", model=row.name, version=row.version, **changed)
    return fallen


def shadow_notes(settings: Settings, registrations: Sequence[Registration]) -> list[str]:
    """Return a line for each model in shadow: who gets its reports, and why it is not active where it was to be."""
    tests = [peer.name for peer in settings.peers if peer.test and "report" in peer.gets]
    where = f"only to peers with test = true: {', '.join(tests)}" if tests else "to nobody: no peer has test = true"
    wanted = {model.name for model in settings.models if model.mode == "active"}
    why = f"; config.toml says active{_VALIDATED if settings.go_live.require_validation else _BY_VERB}"
    return [
        f"model {row.name} is in shadow: its reports go {where}" + (why if row.name in wanted else "")
        for row in registrations
        if row.mode is Mode.SHADOW
    ]


_VALIDATED = (
    ": that needs a recorded local validation or [go_live] require_validation = false, and then `pacs-node models mode`"
)
_BY_VERB = ", and the registry rules: `pacs-node models mode` makes it so once what moved it there is settled"
