"""Challengers of a round at the gate: the first look at what they learn from, their training, and the verdict."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.learning.challenger_kinds import ELSEWHERE, KINDS, ONE_CLASS
from bench.learning.divisions import divided, some_of
from bench.learning.gate_rounds import CLASS, VALIDATION, Round, Trained, placed, round_of, trained
from bench.learning.learners import Learner, Weights
from models.data.dataset import open_data
from models.data.labelled import LabelledImages
from models.gate.fitness import Agreement, Unfit, agreement, contradicted, shrunk, unfit
from models.gate.judge import judge
from models.gate.protocol import Protocol
from models.gate.verdict import State, Verdict

NAMES = (f"no {CLASS}", CLASS)


def rounds_of(data: Path, seeds: Sequence[int], patients: float) -> Iterator[Round]:
    """Yield the round of each seed, on the public data sets; `patients` is the share of those to learn from who are."""
    children, adults = (open_data(data / name) for name in ("chest_kermany", "chest_nih_adult"))
    sets = (
        {split: children.images(split) for split in ("train", "test")},
        {split: adults.images(split) for split in ("adapt", "test")},
    )
    return (round_of(seed, *sets, patients) for seed in seeds)


def judged(
    one: Round, learner: Learner, keep: Path, *, refused_too: bool = True, onwards: Collection[str] = (ELSEWHERE,)
) -> list[dict[str, object]]:
    """Return a row for each challenger of a round.

    Parameters
    ----------
    one, learner, keep
        The round, what fits, and where it is kept.
    refused_too
        Whether what the first look refuses is trained, too.
    onwards
        Kinds of challengers that go on from the champion's weights.
    """
    champion = trained(one, "champion", one.known, learner, keep, _say)
    rows = []
    for kind, images_of in KINDS:
        images = images_of(one)
        before = first_look(one, kind, images, champion)
        none = kind == ONE_CLASS or (before and not refused_too)
        begins = champion.weights if kind in onwards else None
        verdict = None if none else _verdict(one, kind, images, (learner, keep, begins), champion)
        rows.append(_row(one, kind, before, verdict))
        _say(f"round {one.seed}: {kind}: {rows[-1]['refused_before'] or '-'} | {rows[-1]['outcome']}")
    return rows


def first_look(one: Round, kind: str, images: LabelledImages, champion: Trained) -> list[Unfit]:
    """Return why a training on these images would not begin."""
    val, train = divided(images, VALIDATION, np.random.default_rng(one.seed + 1000))
    locked = {"second": one.second} if kind == ELSEWHERE else {"site": one.site, "first": one.first}
    found = unfit({"train": train, "val": val}, locked, NAMES)
    if kind != ELSEWHERE:
        here = agreement(one.site, _called(champion, "site"))
        found += [
            each
            for each in (shrunk(len(images), len(one.known)), contradicted(_new(one, images, champion), here))
            if each is not None
        ]
    return found


def _new(one: Round, images: LabelledImages, champion: Trained) -> Agreement:
    """Return how often the champion calls what the labels say of patients whom it had not learned from."""
    called = dict(zip(one.pool.names, _called(champion, "pool").tolist(), strict=True))
    known = set(one.known.names)
    new = np.array([name in called and name not in known for name in images.names])
    return agreement(
        some_of(images, new),
        np.array([called[name] for name in images.names if name in called and name not in known], bool),
    )


def _called(champion: Trained, name: str) -> NDArray[np.bool_]:
    return np.asarray(champion.answers.said[name].probabilities[CLASS] >= _threshold(champion))


def _threshold(champion: Trained) -> float:
    return champion.answers.thresholds[CLASS]


def _verdict(
    one: Round, kind: str, images: LabelledImages, how: tuple[Learner, Path, Weights | None], champion: Trained
) -> Verdict:
    learner, keep, begins = how
    name = kind.replace(" ", "-") + ("-onwards" if begins and kind != ELSEWHERE else "")
    challenger = trained(one, name, images, learner, keep, _say, begins)
    locked = one.locked_elsewhere if kind == ELSEWHERE else one.locked
    said = placed(one, images, champion, challenger)
    return judge(Protocol(seed=one.seed), champion.answers, said, locked)


def _row(one: Round, kind: str, before: Sequence[Unfit], verdict: Verdict | None) -> dict[str, object]:
    missed = (
        []
        if verdict is None
        else [f"{c.name} {c.locked_set} {c.part}".strip() for c in verdict.criteria if c.state is State.MISSED]
    )
    return {
        "seed": one.seed,
        "kind": kind,
        "refused_before": ", ".join(unfit.rule for unfit in before),
        "outcome": "not trained" if verdict is None else verdict.outcome.value,
        "missed": missed,
        "aucs": {} if verdict is None else {s.locked_set: (s.champion_auc, s.challenger_auc) for s in verdict.sets},
    }


def _say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)
