"""The gate: whether a challenger may take its champion's place, from what both say of every locked set.

    verdict = judge(Protocol(), champion, challenger, {"site": LockedSet(...), "starter": LockedSet(...)})

It is promoted when every criterion of the protocol is met on every set, kept in shadow when nothing is missed and
something could not be judged, and refused otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from models.gate.criteria import Pair, admission, criteria
from models.gate.gate_values import Answers, GateError, LockedSet
from models.gate.protocol import Protocol
from models.gate.verdict import Criterion, Outcome, Party, Progress, SetProgress, State, Verdict


def judge(protocol: Protocol, champion: Answers, challenger: Answers, locked: Mapping[str, LockedSet]) -> Verdict:
    """Return the verdict on a challenger.

    Parameters
    ----------
    protocol
        As it was declared before the challenger was trained.
    champion, challenger
        What they say of every set. Every class of the champion's must be the challenger's, too.
    locked
        The locked sets by name; at least one of them a target.

    Raises
    ------
    GateError
        Where there is no set, or an answer is missing or no probability.
    """
    if not locked:
        raise GateError("there is no locked set: nothing can be judged")
    pairs = [pair for each in locked.values() for pair in _pairs(protocol, champion, challenger, each)]
    asked = [*_general(champion, challenger, locked), *_admissions(protocol, champion, challenger, locked)]
    asked += [one for pair in pairs for one in criteria(pair)]
    standing = tuple(_standing(pair, asked) for pair in pairs)
    return Verdict(
        outcome=_outcome(asked),
        reasons=tuple(one.text for one in asked if one.state in {State.MISSED, State.OPEN}),
        champion=_party(champion),
        challenger=_party(challenger),
        protocol=protocol,
        protocol_digest=protocol.digest,
        sets=standing,
        criteria=tuple(asked),
        progress=tuple(_progress(name, standing) for name in dict.fromkeys(one.class_name for one in standing)),
    )


def _outcome(asked: Sequence[Criterion]) -> Outcome:
    states = {one.state for one in asked}
    if State.MISSED in states:
        return Outcome.REFUSED
    return Outcome.SHADOW if State.OPEN in states else Outcome.PROMOTED


def _pairs(protocol: Protocol, champion: Answers, challenger: Answers, locked: LockedSet) -> Iterator[Pair]:
    before, after = champion.of(locked), challenger.of(locked)
    for name in champion.thresholds:
        if name in challenger.thresholds and name in locked.present:
            said = before.probabilities[name], after.probabilities[name]
            yield Pair(locked, name, said, (champion.thresholds[name], challenger.thresholds[name]), protocol)


def _general(champion: Answers, challenger: Answers, locked: Mapping[str, LockedSet]) -> Iterator[Criterion]:
    """Yield what is asked of no single set: every class is still there, and labelled, and there is a target."""
    for name in champion.thresholds:
        if name not in challenger.thresholds:
            yield _without("classes", name, State.MISSED, f"classes: the challenger does not know {name} any more")
        elif not any(name in each.present for each in locked.values()):
            yield _without("classes", name, State.OPEN, f"classes: no locked set has labels of {name}")
    if not any(each.target for each in locked.values()):
        yield _without("target", "", State.OPEN, "target: no locked set is of those whom the challenger is made for")


def _without(name: str, class_name: str, state: State, text: str) -> Criterion:
    return Criterion(name, "", class_name, "", None, None, None, None, None, None, None, state, text)


def _admissions(
    protocol: Protocol, champion: Answers, challenger: Answers, locked: Mapping[str, LockedSet]
) -> Iterator[Criterion]:
    for each in locked.values():
        before, after = champion.of(each).admitted, challenger.of(each).admitted
        if after is not None:  # what lets everything in lets in no less
            everything = np.ones(len(each.patients), bool)
            yield admission(each, (everything if before is None else before, after), protocol)


def _standing(pair: Pair, asked: Sequence[Criterion]) -> SetProgress:
    locked, (patients, positives, negatives) = pair.locked, pair.patients(pair.everything)
    areas = next(
        one
        for one in asked
        if (one.name, one.locked_set, one.class_name) == ("AUC (DeLong)", locked.name, pair.class_name)
    )
    counted = (len(locked.patients), patients, positives, negatives)
    named = (locked.name, locked.version, locked.digest, locked.target, locked.uses, pair.class_name)
    return SetProgress(*named, *counted, areas.champion, areas.challenger)


def _party(answers: Answers) -> Party:
    return Party(answers.name, answers.version, answers.device_uid, dict(answers.thresholds))


def _progress(class_name: str, standing: Sequence[SetProgress]) -> Progress:
    """Return learning, potential and retention of a class, over sets on which there is an AUC."""
    rows = [one for one in standing if one.class_name == class_name and one.champion_auc is not None]
    before = {target: _mean([one.champion_auc for one in rows if one.target is target]) for target in (True, False)}
    after = {target: _mean([one.challenger_auc for one in rows if one.target is target]) for target in (True, False)}
    return Progress(
        class_name,
        learning=_less(after[True], before[True]),
        potential=_less(before[True], before[False]),
        retention=_less(after[False], before[False]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


def _less(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first - second
