"""Which version of a model serves: promoted by a person's word or the gate's, and taken back with one command.

Each change is one transaction over both registries; a kill leaves the old version or the new one, never none. A
running node follows without a restart. Of two operators at once one waits, and is told what the other did.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from models.bundle.manifest import Manifest
from node.config import Settings
from node.domain.errors import OperatorError
from node.pipeline.learning.forgotten import FORGOTTEN
from node.pipeline.learning.promotion_steps import PromotionReached, PromotionStep, promotion_unobserved
from node.pipeline.opened import open_database
from node.pipeline.registry import challengers, go_live, recalled, signers
from node.pipeline.registry.catalogue import opened, public_keys, version_of
from node.store import audit
from node.store.database import Database, Transaction
from node.store.learning import locked_sets, model_versions, monitoring_records, retrainings, splits
from node.store.learning.model_versions import Change, Version
from node.store.registering import registry, validations
from node.store.registering.registry import Registration
from node.store.tables.choices import Mode

PROMOTED = "promoted"
"""What the gate says of a version that may serve."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to happen to a model, and on whose word."""

    model: str
    version: str  #: that is to serve
    instead_of: str  #: that served when the order was given
    change: Change
    onwards: bool  #: whether it follows the other one; not where that is taken back
    into_shadow: bool  #: whether an active model may go into shadow, because the version has no validation
    although_forgotten: int = 0  #: how many forgotten patients the version knew


def promote(  # noqa: PLR0913 who promotes what, and in spite of what
    settings: Settings,
    model: str,
    version: str,
    by: str,
    now: datetime,
    *,
    into_shadow: bool = False,
    although_forgotten: bool = False,
    reached: PromotionReached = promotion_unobserved,
) -> str:
    """Let a version that the gate passed serve, and say so.

    Parameters
    ----------
    settings
        The configuration.
    model, version
        Which.
    by
        Who approves it.
    now
        Aware.
    into_shadow
        Whether an active model may go into shadow, where the new version has no validation and one is required.
    although_forgotten
        Whether it may have learned from patients who were forgotten since.
    reached
        Called at each step; for tests that end the process there.

    Raises
    ------
    OperatorError
        Where there is no such version, the gate did not pass it or judged it against another champion, its bundle
        cannot be used, another operator was faster, it may not be active, it was
        recalled, or it learned from a forgotten patient.
    """
    if not by.strip():
        raise OperatorError("--by names who approves it: a promotion without a name is none", exit_code=2)
    with open_database(settings) as database:
        last = database.read(lambda tx: _serving(tx, model))
        chosen = database.read(lambda tx: _known(tx, model, version))
        refuse_unpassed(chosen, last)
        database.read(lambda tx: _refuse_outlived(tx, chosen))
        knew = database.read(lambda tx: _forgotten(tx, chosen, allowed=although_forgotten))
        change = Change(now, by.strip(), "promoted")
        named = (model, version, last.version, change)
        order = Order(*named, onwards=True, into_shadow=into_shadow, although_forgotten=knew)
        said = carry_out(database, settings, order, reached)
    return f"model {model}: {last.version} -> {version}, approved by {by.strip()}; {said}"


def rollback(
    settings: Settings,
    model: str,
    by: str,
    now: datetime,
    *,
    into_shadow: bool = False,
    reached: PromotionReached = promotion_unobserved,
) -> str:
    """Let the version serve again that served before the present one, and say so; parameters as of `promote`.

    Raises
    ------
    OperatorError
        Where none served before, its bundle cannot be used, another operator was faster, it was recalled, or
        it may not be active.
    """
    with open_database(settings) as database:
        last = database.read(lambda tx: _serving(tx, model))
        if not last.before:
            raise OperatorError(
                f"model {model}: no version served before {last.version}: there is nothing to go back to"
            )
        change = Change(now, by, "rolled back")
        order = Order(model, last.before, last.version, change, onwards=False, into_shadow=into_shadow)
        said = carry_out(database, settings, order, reached)
        if knew := database.read(lambda tx: _forgotten(tx, _known(tx, model, last.before), allowed=True)):
            said += f"; it learned from {knew} patients who were forgotten since"
    return f"model {model}: {last.version} -> {last.before}, rolled back by {by}; {said}"


def carry_out(
    database: Database, settings: Settings, order: Order, reached: PromotionReached = promotion_unobserved
) -> str:
    """Let a version take the serving one's place in one transaction, and say from when it counts.

    Raises
    ------
    OperatorError
        As `promote` says.
    """
    chosen = database.read(lambda tx: _known(tx, order.model, order.version))
    usable(settings, chosen)
    reached(PromotionStep.OPENED)
    fallen = database.write(lambda tx: change_place(tx, settings, order, reached))
    reached(PromotionStep.COMMITTED)
    shadow = "; it goes into shadow: this version has no validation" if fallen else ""
    return f"counts with the next analysis{shadow}"


def change_place(tx: Transaction, settings: Settings, order: Order, reached: PromotionReached) -> bool:
    """Do it in a transaction, and return whether the model went into shadow by it."""
    model_versions.lock(tx, order.model)
    chosen, last = _known(tx, order.model, order.version), _serving(tx, order.model)
    if last.version != order.instead_of:
        raise OperatorError(
            f"model {order.model}: meanwhile {last.version} serves ({last.reason} by {last.changed_by or 'the node'}, "
            f"{last.changed_at:%Y-%m-%d %H:%M:%S} UTC) in place of {order.instead_of}; nothing was changed: look at "
            "`pacs-node models versions` again"
        )
    row = registry.named(tx, order.model)
    recalled.refuse(tx, order.model, order.version)
    _carry_validation(tx, chosen)
    _refuse_silence(tx, settings, replace(row, version=chosen.version), order)
    registry.put(tx, replace(row, version=chosen.version, bundle=chosen.bundle))
    reached(PromotionStep.REGISTERED)
    model_versions.serve(tx, order.model, order.version, order.change, onwards=order.onwards)
    challengers.end(tx, order.model, order.version)
    monitoring_records.carry(tx, challengers.name_of(order.model), order.model, order.version)
    reached(PromotionStep.MOVED)
    said = {"model": order.model, "before": last.version, "after": order.version, "by": order.change.by}
    if order.although_forgotten:
        said["although_forgotten"] = str(order.although_forgotten)
    audit.add(tx, order.change.at, f"model version {order.change.reason}", **said)
    fallen = go_live.enforce(tx, order.change.at, required=settings.go_live.require_validation)
    return any(row.name == order.model for row in fallen)


def refuse_unpassed(chosen: Version, serving: Version) -> None:
    """Refuse to promote what the gate did not pass against the version that serves.

    Raises
    ------
    OperatorError
        With the reason.
    """
    named = f"version {chosen.version} of model {chosen.model}"
    if chosen.version == serving.version:
        raise OperatorError(
            f"{named} serves already ({serving.reason} by {serving.changed_by or 'the node'}, "
            f"{serving.changed_at:%Y-%m-%d %H:%M:%S} UTC)"
        )
    if chosen.swept_at is not None:
        raise OperatorError(f"the bundle of {named} was removed on {chosen.swept_at:%Y-%m-%d}")
    if chosen.outcome != PROMOTED:
        verdict = f"the gate's verdict is {chosen.outcome}" if chosen.outcome else "the gate never judged it"
        raise OperatorError(f"{named} cannot be promoted: {verdict} ({chosen.reason}); `pacs-node models versions`")
    if chosen.judged_against != serving.version:
        raise OperatorError(
            f"{named} was judged against {chosen.judged_against}, and {serving.version} serves by now: a retraining "
            "makes a challenger that is judged against it"
        )


def _refuse_outlived(tx: Transaction, chosen: Version) -> None:
    """Refuse a verdict by a locked set of which there is a newer version, or none: a patient may have left it."""
    newest = {f"{one.name} {one.version}" for one in locked_sets.newest(tx)}
    known = {f"{one.name} {one.version}" for one in locked_sets.all(tx)}
    if gone := sorted(known & set(chosen.data_digests) - newest):
        raise OperatorError(
            f"version {chosen.version} of model {chosen.model} was judged by {', '.join(gone)}, not the newest "
            "version of that locked set any more: a retraining makes a challenger that is judged by what counts now"
        )


def _forgotten(tx: Transaction, chosen: Version, *, allowed: bool) -> int:
    """Return how many forgotten patients a version knew, or the one that it began from; refuse it unless allowed."""
    knew = len(retrainings.patients_of(tx, chosen.version) & splits.barred(tx, FORGOTTEN))
    if knew and not allowed:
        raise OperatorError(
            f"version {chosen.version} of model {chosen.model} learned from {knew} patients who were forgotten "
            "since, or began from a version that did: `pacs-node retrain --now` makes one from what there is now, or "
            "say --although-forgotten, which is recorded"
        )
    return knew


def usable(settings: Settings, version: Version) -> Manifest:
    """Return the manifest of a version's bundle, which is intact, signed where it must be, and this very version.

    Raises
    ------
    OperatorError
        Where it is not.
    """
    if not version.bundle or version.swept_at is not None:
        raise OperatorError(f"version {version.version} of model {version.model} has no bundle any more")
    manifest = opened(version.bundle, key_of(settings, version.model))
    if version_of(manifest) != version.version:
        raise OperatorError(
            f"the folder {version.bundle} holds version {version_of(manifest)} by now, not {version.version}: put the "
            "bundle back as it was made"
        )
    return manifest


def key_of(settings: Settings, model: str) -> Path | None:
    """Return who must have signed a model's bundles; None: nobody need have."""
    demanded = signers.demanded(settings).get(model)
    return public_keys(settings).get(model) or (Path(demanded) if demanded else None)


def _carry_validation(tx: Transaction, chosen: Version) -> None:
    """Let a validation count that the very device got while it read in shadow under its challenger's name."""
    if validations.latest(tx, chosen.model, chosen.version) is None:
        found = validations.latest(tx, challengers.name_of(chosen.model), chosen.version)
        if found is not None:
            validations.record(tx, replace(found, model=chosen.model))


def _refuse_silence(tx: Transaction, settings: Settings, row: Registration, order: Order) -> None:
    """Refuse what would silence an active model, unless that is asked for: no clinical peer would get a result."""
    if row.mode is not Mode.ACTIVE or order.into_shadow or not settings.go_live.require_validation:
        return
    reason = go_live.missing(tx, row)
    if reason is not None:
        raise OperatorError(
            f"model {row.name} is active, and {reason}: it would go into shadow, where only peers with test = true get "
            "its reports ([go_live] require_validation). Record the validation first, or say --into-shadow"
        )


def _serving(tx: Transaction, model: str) -> Version:
    registry.named(tx, model)
    found = model_versions.serving(tx, model)
    if found is None:
        raise OperatorError(f"model {model} has no version that serves yet: the next start of the node enters it")
    return found


def _known(tx: Transaction, model: str, version: str) -> Version:
    found = model_versions.get(tx, model, version)
    if found is None:
        known = ", ".join(one.version for one in model_versions.all(tx, model)) or "none"
        raise OperatorError(f"model {model} has no version {version!r}; it has: {known}")
    return found
