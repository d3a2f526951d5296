"""A challenger judged: asked about every locked set beside its champion, written down, and put where its verdict says.

    declare(database, settings, "starter", run, now)                # before the training
    judged = judge_challenger(database, settings, Challenge("starter", bundle, run), clock)

The protocol that counts is the one that was declared, whatever the configuration says by then. Doing either again is
harmless: what was declared stays, a verdict replaces its like, and what serves is never moved by it.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from node.config import Settings
from node.domain.errors import OperatorError, Permanent, Transient
from node.pipeline.apart import in_child
from node.pipeline.learning.first_look import LEARNED
from node.pipeline.learning.judged_sets import judged_sets
from node.pipeline.learning.places import Places
from node.pipeline.learning.promotion import Order, change_place, usable
from node.pipeline.learning.promotion_steps import promotion_unobserved
from node.pipeline.learning.sweeping import sweep_refused
from node.pipeline.learning.verdict_in_child import Asked, verdict_of
from node.pipeline.registry import challengers
from node.pipeline.registry.catalogue import bundle_path, opened, version_of
from node.pipeline.registry.versions import described
from node.store import audit
from node.store.database import Database, Transaction
from node.store.learning import gate_runs, locked_sets, model_versions
from node.store.learning.gate_runs import Run
from node.store.learning.model_versions import Change, Version
from node.store.registering import registry
from node.store.registering.registry import Registration
from node.store.tables.version_tables import VersionState
from node.telemetry import logger

if TYPE_CHECKING:
    from models.bundle.manifest import Manifest
    from models.gate.verdict import Verdict

DEADLINE_S = 3600.0
"""For asking two bundles about all locked sets."""

BY_ITSELF = "the gate"
"""Who promotes where no person is asked."""

Clock = Callable[[], datetime]

_log = logger("pipeline.gate")


@dataclass(frozen=True, slots=True)
class Challenge:
    """What is to be judged."""

    model: str
    bundle: Path  #: a whole bundle, in the place where it stays
    run: str  #: names the run for ever; of digits, letters, - and _
    data_digests: Mapping[str, str] = field(default_factory=dict)  #: of what it was trained on, by what it is
    learned: int = 0  #: images of this site that it was trained from; 0 where that is not known


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a challenger."""

    outcome: str  #: promoted, shadow or refused
    version: str
    state: VersionState
    reason: str  #: what is missed or open, or that nothing is
    folder: Path  #: holds protocol.json, result.json and page.html


Beside = Callable[[Transaction, Judged], None]
"""Writes what is to be kept with a verdict."""


def declare(database: Database, settings: Settings, model: str, run: str, now: datetime) -> Run:
    """Write down what a challenger of this run must reach, before it is trained; what was declared first stays."""
    from models.gate.protocol import Protocol  # noqa: PLC0415 - for learning alone

    names = Protocol.__dataclass_fields__
    protocol = Protocol(**{name: value for name, value in settings.gate.model_dump().items() if name in names})
    declared = Run(run, model, asdict(protocol), protocol.digest, now)
    return database.write(lambda tx: gate_runs.declare(tx, declared))


def judge_challenger(
    database: Database,
    settings: Settings,
    challenge: Challenge,
    clock: Clock,
    *,
    approval: bool = True,
    beside: Beside = lambda *_: None,
) -> Judged:
    """Judge a challenger against the version that serves, and put it where the verdict says.

    Parameters
    ----------
    database, settings
        The node's.
    challenge
        What is judged.
    clock
        The time now, aware.
    approval
        Whether a person must approve what the gate passed; else it serves at once, unless that would silence an active
        model for want of a validation.
    beside
        Called in the transaction that settles: what it writes is kept with the verdict or not at all, and where it
        raises nothing is.

    Raises
    ------
    Permanent
        Where the bundle or a locked set cannot be used, there is no set, or it is the very device that serves.
    Transient
        Where the child process died, or another version came to serve meanwhile.
    """
    run = declare(database, settings, challenge.model, challenge.run, clock())
    champion, manifest = _parties(database, challenge)
    version = version_of(manifest)
    sets = judged_sets(database, settings, challenge.model, champion.bundle)
    if not sets:
        raise Permanent(f"there is no locked set with the labels of {challenge.model}: nothing can be judged")
    database.write(lambda tx: locked_sets.use(tx, [number for number, _ in sets], f"gate {challenge.run}", clock()))
    first = Asked(bundle_path(champion.bundle), champion.version)
    asked = (first, Asked(challenge.bundle, version), tuple(one for _, one in sets))
    verdict = in_child(DEADLINE_S, verdict_of, dict(run.protocol), *asked)
    judged = _written_down(settings, challenge, run, verdict, clock())
    row = _version(challenge, manifest, verdict, judged)
    how = _How(approval, _trusted(settings, row), beside)
    settled = database.write(lambda tx: _settle(tx, settings, row, judged, how))
    _log.info("challenger judged", run=judged.run, model=row.model, outcome=row.outcome, state=settled.state.value)
    for one in verdict.progress:
        _log.info("learning measured", run=judged.run, **asdict(one))
    sweep_refused(database, settings, judged.at)
    return settled


def _parties(database: Database, challenge: Challenge) -> "tuple[Registration, Manifest]":
    champion = database.read(lambda tx: registry.get(tx, challenge.model))
    if champion is None:
        raise Permanent(f"no model {challenge.model!r} is registered: there is no champion to judge against")
    try:
        opened(champion.bundle)
        manifest = opened(str(challenge.bundle))
    except OperatorError as error:
        raise Permanent(str(error)) from error
    if version_of(manifest) == champion.version:
        raise Permanent(f"{challenge.bundle} is the very version that serves, {champion.version}: nothing has changed")
    return champion, manifest


@dataclass(frozen=True, slots=True)
class _Written:
    """A verdict that lies on the disk, and what the rows are to say of it."""

    run: str
    at: datetime
    table: dict[str, Any]
    folder: Path
    outcome: str
    champion: str
    reason: str


def _written_down(settings: Settings, challenge: Challenge, run: Run, verdict: "Verdict", now: datetime) -> _Written:
    from models.gate.verdict_page import write_verdict  # noqa: PLC0415 - for learning alone

    folder = Places(settings.node.data_dir).verdict(challenge.run)
    try:
        write_verdict(folder, verdict, challenge.run, run.declared_at, now)
    except OSError as error:
        raise Transient(f"the verdict cannot be written to {folder}: {error}") from error
    reason = "; ".join(verdict.reasons) or "every criterion is met"
    outcome, champion = verdict.outcome.value, verdict.champion.version
    return _Written(challenge.run, now, verdict.as_json(), folder, outcome, champion, reason)


def _version(challenge: Challenge, manifest: "Manifest", verdict: "Verdict", judged: _Written) -> Version:
    row = described(challenge.model, version_of(manifest), str(challenge.bundle), manifest, judged.at)
    sets = {f"{one.locked_set} {one.version}": one.digest for one in verdict.sets}
    progress = {one.class_name: asdict(one) for one in verdict.progress}
    return replace(
        row,
        state=_STATES[judged.outcome],
        data_digests={**row.data_digests, **challenge.data_digests, **sets},
        parents=(judged.champion,),
        figures={**row.figures, "gate": progress, LEARNED: challenge.learned},
        outcome=judged.outcome,
        judged_against=judged.champion,
        run=challenge.run,
        changed_by=BY_ITSELF,
        reason=judged.reason,
    )


@dataclass(frozen=True, slots=True)
class _How:
    """What may be done with a version that the gate passed."""

    approval: bool  #: whether a person must say so
    trusted: bool  #: whether its bundle may run here at all
    beside: Beside = lambda *_: None


def _trusted(settings: Settings, row: Version) -> bool:
    """Return whether a bundle is signed where the model's must be: a fresh one is not, until a person signs it."""
    try:
        usable(settings, row)
    except OperatorError:
        return False
    return True


def _settle(tx: Transaction, settings: Settings, row: Version, judged: _Written, how: _How) -> Judged:
    """Keep the verdict and the version, and let it wait, run beside its champion, or serve."""
    model_versions.lock(tx, row.model)
    champion = registry.get(tx, row.model)
    if champion is None or champion.version != judged.champion:
        raise Transient(f"another version of {row.model} came to serve while {row.version} was judged")
    gate_runs.conclude(tx, judged.run, judged.table, judged.at)
    model_versions.register(tx, row)
    said = {"model": row.model, "version": row.version, "outcome": row.outcome, "run": judged.run}
    audit.add(tx, judged.at, "challenger judged", **said)
    state = row.state
    if state is VersionState.AWAITING and how.trusted and not how.approval and _served(tx, settings, row, judged):
        state = VersionState.SERVING
    elif state is not VersionState.REFUSED and how.trusted and settings.gate.shadow:
        challengers.begin(tx, row)
    settled = Judged(row.outcome, row.version, state, row.reason, judged.folder)
    how.beside(tx, settled)
    return settled


def _served(tx: Transaction, settings: Settings, row: Version, judged: _Written) -> bool:
    """Let a version serve without a person's word, unless an active model would be silenced by it."""
    change = Change(judged.at, BY_ITSELF, "promoted")
    order = Order(row.model, row.version, judged.champion, change, onwards=True, into_shadow=False)
    try:
        change_place(tx, settings, order, promotion_unobserved)
    except OperatorError:
        return False
    return True


_STATES = {
    "promoted": VersionState.AWAITING,
    "shadow": VersionState.SHADOW,
    "refused": VersionState.REFUSED,
}
