"""Good and bad challengers at the gate: how many of each kind are refused before training or after it, and promoted.

    python bench/gate.py ../shared/data --seeds 1 10 --keep FOLDER [--linear] [--patients 0.4]

A round divides the patients of chest_kermany by its seed: a site's locked set, a champion's quarter of the others, and
challengers of each kind: with all data (which should be promoted), gone on from the champion with the other hospital's
adults alone, with a fifth of the labels flipped, of one class, with the locked images among what is learned from, and
with half the champion's data (which should not). There is a round for each seed from the first to the last; what was
trained lies in FOLDER, and the same command goes on where it was ended. Each challenger is trained and judged even
where the first look refuses it, so that the table tells what the figures alone would have done. Networks are those of
the recipe site-64; with --linear a logistic regression on hand-made features takes their place: minutes for ten rounds.

The locked sets are the site's own and the official test split; for the other hospital its test split beside them.
"""

import argparse
import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.learning.gate_rounds import (
    CLASS,
    KINDS,
    Learner,
    Round,
    Trained,
    Weights,
    divided,
    linear,
    network,
    placed,
    round_of,
    some_of,
    trained,
)
from models.data.dataset import open_data
from models.data.labelled import LabelledImages
from models.gate.fitness import Agreement, Unfit, agreement, contradicted, shrunk, unfit
from models.gate.judge import judge
from models.gate.protocol import Protocol
from models.gate.verdict import Outcome, State, Verdict
from models.training.recipe import read_recipe
from models.training.threads import limit_threads, load_quietly

NAMES = (f"no {CLASS}", CLASS)
GOOD, ELSEWHERE, ONE_CLASS = "more data", "without replay", "single class"


def main() -> None:
    """Train, judge, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs=2, default=(1, 10), help="the first and the last")
    parser.add_argument("--patients", type=float, default=1.0, help="share of those to learn from; less is faster")
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--linear", action="store_true", help="hand-made features in place of networks: minutes in all")
    parser.add_argument("--epochs", type=int, default=0, help="of a training; those of the recipe site-64 where 0")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    asked.keep.mkdir(parents=True, exist_ok=True)
    load_quietly()
    limit_threads(asked.threads)
    plan = read_recipe("site-64").classifier
    learner = linear() if asked.linear else network(replace(plan, epochs=asked.epochs or plan.epochs))
    children, adults = (open_data(asked.data / name) for name in ("chest_kermany", "chest_nih_adult"))
    sets = (
        {split: children.images(split) for split in ("train", "test")},
        {split: adults.images(split) for split in ("adapt", "test")},
    )
    seeds = range(asked.seeds[0], asked.seeds[1] + 1)
    rows = [row for seed in seeds for row in judged(round_of(seed, *sets, asked.patients), learner, asked.keep)]
    (asked.keep / f"rows-{seeds[0]}-{seeds[-1]}.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(table(rows, seeds))


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
    champion = trained(one, "champion", one.known, learner, keep, say)
    rows = []
    for kind, images_of in KINDS:
        images = images_of(one)
        before = first_look(one, kind, images, champion)
        none = kind == ONE_CLASS or (before and not refused_too)
        begins = champion.weights if kind in onwards else None
        verdict = None if none else _verdict(one, kind, images, (learner, keep, begins), champion)
        rows.append(_row(one, kind, before, verdict))
        say(f"round {one.seed}: {kind}: {rows[-1]['refused_before'] or '-'} | {rows[-1]['outcome']}")
    return rows


def first_look(one: Round, kind: str, images: LabelledImages, champion: Trained) -> list[Unfit]:
    """Return why a training on these images would not begin."""
    val, train = divided(images, 0.12, np.random.default_rng(one.seed + 1000))
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
    challenger = trained(one, name, images, learner, keep, say, begins)
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


def table(rows: Sequence[dict[str, object]], seeds: Sequence[int]) -> str:
    """Return the counts as a table in Markdown."""
    lines = [
        f"seeds {', '.join(map(str, seeds))}\n",
        "| challenger | refused before training | promoted of the others | figures alone: refused | shadow | passed |",
        "|---|---|---|---|---|---|",
    ]
    for kind, _ in KINDS:
        own = [row for row in rows if row["kind"] == kind]
        before = sum(bool(row["refused_before"]) for row in own)
        promoted = sum(row["outcome"] == Outcome.PROMOTED and not row["refused_before"] for row in own)
        ended = Counter(str(row["outcome"]) for row in own)
        counts = " | ".join(str(ended[outcome]) for outcome in ("refused", "shadow", "promoted"))
        lines.append(f"| {kind} | {before} | {promoted} | {counts} |")
    return "\n".join(lines)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
