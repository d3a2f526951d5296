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
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.learning.challenger_kinds import KINDS
from bench.learning.judged_rounds import judged, rounds_of
from bench.learning.learners import linear, network
from models.gate.verdict import Outcome
from models.training.recipe import read_recipe
from models.training.threads import limit_threads, load_quietly


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
    seeds = range(asked.seeds[0], asked.seeds[1] + 1)
    rounds = rounds_of(asked.data, seeds, asked.patients)
    rows = [row for one in rounds for row in judged(one, learner, asked.keep)]
    (asked.keep / f"rows-{seeds[0]}-{seeds[-1]}.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(table(rows, seeds))


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


if __name__ == "__main__":
    main()
