"""Challengers of every kind at the gate, in networks: judged rounds, kept as JSON lines so that they go on.

What the first look refuses is not trained, and counted apart. Every training takes as many steps as the largest needs,
so that a champion of few images is no weakling that anything could beat. The good ones go on from the champion with all
that there is, as `[retrain] start = "champion"` does.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

from bench.learning.challenger_kinds import ELSEWHERE, GOOD, KINDS
from bench.learning.judged_rounds import judged, rounds_of
from bench.learning.learners import Learner, LogitsOf, Weights, network
from models.data.labelled import LabelledImages
from models.gate.verdict import Outcome
from models.training.recipe import ClassifierRecipe, read_recipe
from models.training.threads import limit_threads, load_quietly

RECIPE = "site-64"
PATIENTS = 0.4
"""The share of those to learn from who are: some 1,400 images for a good challenger, 350 for its champion."""

STEPS = 600
"""Of every training from scratch, at least."""

MANY, RATE = 1000, 1e-3
"""Of a training that goes on with so many images or more: as many epochs as the recipe has, at half its rate."""

ROWS = "challengers.jsonl"

Row = dict[str, Any]


def run(data: Path, folder: Path, seeds: Sequence[int]) -> None:
    """Train and judge the rounds that are not there yet."""
    load_quietly()
    limit_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    rows = rows_of(folder)
    missing = [seed for seed in seeds if sum(row["seed"] == seed for row in rows) < len(KINDS)]
    for one in rounds_of(data, missing, PATIENTS):
        found = judged(one, learner(), folder, refused_too=False, onwards=(ELSEWHERE, GOOD))
        with (folder / ROWS).open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(row) + "\n" for row in found))


def rows_of(folder: Path) -> list[Row]:
    """Return every row that is there."""
    if not (folder / ROWS).exists():
        return []
    return [json.loads(line) for line in (folder / ROWS).read_text(encoding="utf-8").splitlines()]


def learner() -> Learner:
    """Return what fits the recipe's network, small data for more epochs."""
    plan = read_recipe(RECIPE).classifier

    def learn(train: LabelledImages, seed: int, part: Path, begins: Weights | None) -> tuple[LogitsOf, Weights]:
        tuned = [(plan.epochs, RATE)] if len(train) >= MANY else []
        return network(_long_enough(plan, len(train)), *tuned)(train, seed, part, begins)

    return learn


def _long_enough(plan: ClassifierRecipe, images: int) -> ClassifierRecipe:
    return replace(plan, epochs=max(plan.epochs, ceil(STEPS * plan.batch / images)))


def bad_promoted(rows: Sequence[Row]) -> int:
    """Return how many bad challengers the gate let through."""
    return sum(row["outcome"] == Outcome.PROMOTED for row in rows if row["kind"] != GOOD)


def good_promoted(rows: Sequence[Row]) -> tuple[int, int]:
    """Return how many good challengers were promoted, and how many there were."""
    good = [row for row in rows if row["kind"] == GOOD]
    return sum(row["outcome"] == Outcome.PROMOTED for row in good), len(good)


def table(rows: Sequence[Row]) -> str:
    """Return the counts as a table in Markdown."""
    lines = [
        f"Seeds {', '.join(str(seed) for seed in sorted({row['seed'] for row in rows}))}.\n",
        "| challenger | made | refused before training | refused by the gate | kept in shadow | promoted |",
        "|---|---|---|---|---|---|",
    ]
    for kind, _ in KINDS:
        own = [row for row in rows if row["kind"] == kind]
        counts = [sum(bool(row["refused_before"]) for row in own)]
        counts += [sum(row["outcome"] == one for row in own) for one in (Outcome.REFUSED, Outcome.SHADOW)]
        counts.append(sum(row["outcome"] == Outcome.PROMOTED for row in own))
        lines.append(f"| {kind} | {len(own)} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)


def missed(rows: Sequence[Row]) -> list[str]:
    """Return which criteria those missed that were refused though good."""
    lost = [row for row in rows if row["kind"] == GOOD and row["outcome"] != Outcome.PROMOTED]
    return [f"seed {row['seed']}: {', '.join(row['missed']) or row['outcome']}" for row in lost]
