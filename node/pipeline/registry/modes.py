"""Models as an operator sees and changes them: listing, modes, the configuration's word, agreement.

Each change is one transaction, and a running node follows without a restart; what it has in hand ends with the
version with which it began.
"""

from collections import Counter
from dataclasses import fields, replace
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import Any

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.finding import Outcome
from node.domain.rule import Rule
from node.pipeline.opened import read_once, write_once
from node.pipeline.registry import go_live, recalled, signers, versions
from node.pipeline.registry.catalogue import opened, registration_of
from node.store import audit
from node.store.database import Transaction
from node.store.learning import monitoring_records
from node.store.learning.model_versions import Change
from node.store.registering import agreement, registry
from node.store.registering.agreement import Pair
from node.store.registering.registry import Registration
from node.store.stopping import recalls
from node.store.tables.choices import Mode
from node.store.working import turned_away

MODELS_COLUMNS = ("name", "version", "mode", "bundle", "reads", "test_auc", "device_uid", "stopped", "recalled")
AGREEMENT_COLUMNS = (
    *("one", "other", "modes", "studies", "agree", "both_positive", "both_negative", "disagree"),
    *("both_not_assessed", "not_comparable", "disagreeing"),
)

_DISAGREEING_SHOWN = 100
_COUNTS = "counts at once, for every report that has not left"


class Verdict(StrEnum):
    """How two models compare on a study."""

    BOTH_POSITIVE = "both_positive"
    BOTH_NEGATIVE = "both_negative"
    DISAGREE = "disagree"
    BOTH_NOT_ASSESSED = "both_not_assessed"
    NOT_COMPARABLE = "not_comparable"


def models(settings: Settings) -> list[dict[str, Any]]:
    """Return the registered models with what their bundles say of them.

    Returns
    -------
    list of dict
        ``name``, ``version``, ``mode``, ``bundle``, ``reads`` (the rule, as far as it differs from asking nothing),
        ``classes``, ``test_auc``, ``device_uid``, ``measures``, ``stopped`` (why monitoring has moved it to shadow, as
        long as it is there; "" where it has not), ``recalled`` (by whom and why its version was recalled, so that none
        of its results leave; "" where it was not).
    """
    return read_once(settings, lambda tx: [_model(row) | _kept_back(tx, row) for row in registry.all(tx)])


def _kept_back(tx: Transaction, row: Registration) -> dict[str, str]:
    return {"stopped": _stopped(tx, row), "recalled": recalls.why(tx, row.name, row.version)}


def _stopped(tx: Transaction, row: Registration) -> str:
    """Return why monitoring has moved a model to shadow, as long as it is there; an alarm that ended stops it still."""
    alarm = None if row.mode is not Mode.SHADOW else monitoring_records.stop_of(tx, row.name, row.version)
    return "" if alarm is None else alarm.said


def _model(row: Registration) -> dict[str, Any]:
    manifest = opened(row.bundle)
    return {
        "name": row.name,
        "version": row.version,
        "mode": row.mode.value,
        "bundle": row.bundle,
        "reads": _reads(row.rule),
        "classes": [described.name for described in manifest.classes],
        "test_auc": manifest.measures.get("test", {}).get("auc"),
        "device_uid": manifest.device_uid,
        "measures": manifest.measures,
    }


def _reads(rule: Rule) -> dict[str, Any]:
    always = ("modalities", "body_parts")
    said = {field.name: (getattr(rule, field.name), field.default) for field in fields(Rule)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, (value, default) in said.items()
        if name in always or value != default
    }


def set_mode(settings: Settings, name: str, mode: str, now: datetime) -> str:
    """Change a model's mode in one transaction and say what that means.

    Raises
    ------
    OperatorError
        Where there is no such model or mode, or the model may not become active: yet, or in a version that was
        recalled.
    """
    if mode not in {known.value for known in Mode}:
        raise OperatorError(f"no mode {mode!r}: it is shadow, active or off", exit_code=2)

    def change(tx: Transaction) -> tuple[Mode, int, list[str]]:
        if mode == Mode.ACTIVE and (row := registry.get(tx, name)) is not None:
            recalled.refuse(tx, name, row.version)
        if mode == Mode.ACTIVE and settings.go_live.require_validation:
            _require_validation(tx, name)
        before = registry.set_mode(tx, name, Mode(mode))
        audit.add(tx, now, "model mode changed", model=name, before=before, after=mode)
        kept = [recalled.note(one) for one in recalls.serving(tx) if one.model == name]
        return before, turned_away.studies_while_off(tx, name) if before is Mode.OFF else 0, kept

    before, missed, kept = write_once(settings, change)
    said = f"model {name}: {before} -> {mode}; {kept[0] if kept else _COUNTS}"
    if before is Mode.OFF and mode != Mode.OFF:
        said += f"; {missed} studies came while it was off and stay unread by it (`pacs-node studies` says which)"
    return said


def _require_validation(tx: Transaction, name: str) -> None:
    model = registry.get(tx, name)
    reason = None if model is None else go_live.missing(tx, model)
    if reason is not None:
        raise OperatorError(
            f"model {name} cannot become active: {reason}, and [go_live] require_validation is true. Until then it "
            "stays in shadow, where peers with test = true get its reports. Setting require_validation = false lets it "
            "in without one, on your site's responsibility."
        )


def configure(settings: Settings, name: str, now: datetime) -> str:
    """Let the registry take over what config.toml says of a model, bundle and rule, and say what has changed.

    A model that is new is added in the mode of its table. One that is known keeps its mode, but for a new version of
    an active one that has no validation where one is required: that begins in shadow.

    Raises
    ------
    OperatorError
        Where there is no such table, the bundle cannot be used, or it holds another version in the same folder: child
        processes that run have the old one loaded.
    """
    table = next((model for model in settings.models if model.name == name), None)
    if table is None:
        tables = ", ".join(model.name for model in settings.models) or "none"
        raise OperatorError(f"config.toml has no [[models]] table named {name!r}; it has: {tables}")
    wanted = registration_of(table, require_validation=settings.go_live.require_validation)
    manifest = opened(table.bundle, table.public_key)
    signers.remember(settings)

    def change(tx: Transaction) -> list[str]:
        changes = _configure(tx, wanted, now, settings)
        versions.follow(tx, wanted, manifest, Change(now, "", "config.toml, taken over by models configure"))
        return changes

    changes = write_once(settings, change)
    return f"model {name}: {'; '.join(changes) or 'the registry says the same already'}"


def _configure(tx: Transaction, wanted: Registration, now: datetime, settings: Settings) -> list[str]:
    known = registry.get(tx, wanted.name)
    if known is None:
        registry.seed(tx, wanted)
        audit.add(tx, now, "model registered", model=wanted.name, version=wanted.version, mode=wanted.mode)
        return [f"registered with version {wanted.version}, in mode {wanted.mode}"]
    if known.bundle == wanted.bundle and known.version != wanted.version:
        raise OperatorError(
            f"the folder {wanted.bundle} holds version {wanted.version} by now, and version {known.version} is served "
            "from it: put a new version into a folder of its own, or restart the node, which takes it over"
        )
    registry.put(tx, replace(wanted, mode=known.mode))
    changes = _differences(known, wanted)
    if changes:
        audit.add(tx, now, "model configured", model=wanted.name, version=wanted.version, changes=changes)
    fallen = go_live.enforce(tx, now, required=settings.go_live.require_validation)
    return [*changes, *(f"{row.name} goes into shadow: its version has no validation" for row in fallen)]


def _differences(known: Registration, wanted: Registration) -> list[str]:
    changes = [
        f"{what} {getattr(known, what)} -> {getattr(wanted, what)}"
        for what in ("bundle", "version")
        if getattr(known, what) != getattr(wanted, what)
    ]
    return [*changes, *(["its rule is that of the table by now"] if known.rule != wanted.rule else [])]


def agreements(settings: Settings) -> list[dict[str, Any]]:
    """Return how often each two models say the same of the same images, and of which studies they do not.

    Returns
    -------
    list of dict
        ``one`` and ``other`` (names), ``modes`` (model: mode), ``studies`` (both have a result of, by their present
        versions, from the same images), of these ``agree``, which is the sum of ``both_positive`` and
        ``both_negative``; ``disagree``; ``both_not_assessed``; ``not_comparable`` (the models know no class in common);
        ``disagreeing``: the newest studies on which they do not agree, each ``study_instance_uid`` and ``outcomes``
        (model: outcome).
    """

    def compared(tx: Transaction) -> list[dict[str, Any]]:
        modes = {row.name: row.mode.value for row in registry.all(tx)}
        together = groupby(agreement.pairs(tx), key=attrgetter("models"))
        return [_compared(list(of_two), modes) for _, of_two in together]

    return read_once(settings, compared)


def _compared(pairs: list[Pair], modes: dict[str, str]) -> dict[str, Any]:
    one, other = pairs[0].models
    counts = Counter(verdict(pair) for pair in pairs)
    apart = [pair for pair in pairs if verdict(pair) is Verdict.DISAGREE]
    return {
        "one": one,
        "other": other,
        "modes": {name: modes[name] for name in (one, other)},
        "studies": len(pairs),
        "agree": counts[Verdict.BOTH_POSITIVE] + counts[Verdict.BOTH_NEGATIVE],
        **{each.value: counts[each] for each in Verdict},
        "disagreeing": [
            {
                "study_instance_uid": pair.study_instance_uid,
                "outcomes": {name: outcome.value for name, outcome in zip(pair.models, pair.outcomes, strict=True)},
            }
            for pair in apart[:_DISAGREEING_SHOWN]
        ],
    }


def verdict(pair: Pair) -> Verdict:
    """Return how the results of two models compare, by the classes that both know.

    Two that were not assessed agree on nothing about the patient, and one flag is not the other where the classes
    differ: neither counts as agreement.
    """
    if set(pair.outcomes) == {Outcome.NOT_ASSESSED}:
        return Verdict.BOTH_NOT_ASSESSED
    if Outcome.NOT_ASSESSED in pair.outcomes:
        return Verdict.DISAGREE
    first, second = pair.present
    shared = first.keys() & second.keys()
    if not shared:
        return Verdict.NOT_COMPARABLE
    if any(first[name] != second[name] for name in shared):
        return Verdict.DISAGREE
    return Verdict.BOTH_POSITIVE if any(first[name] for name in shared) else Verdict.BOTH_NEGATIVE
