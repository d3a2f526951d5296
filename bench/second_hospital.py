"""The label loop through the node's front door: a second hospital, its labels, a retraining, the gate, a promotion.

    python bench/second_hospital.py [--data ../shared/data] [--folder var/second-hospital] [--challengers 1 10]

A fresh node serves with the starter active. Studies of the first hospital make the monitor's reference; those of the
second one make it alarm, and the stop rule acts. Readers label studies of both by Key Objects and Structured Reports,
the schedule asks for a training, the gate judges, a person approves. Then both versions answer the test splits, which
nothing here was chosen by; each look leaves a line in docs/evaluations.csv. Nothing is mocked but the PACS, which takes
reports and counts them. With --challengers rounds of good and bad challengers are trained and judged, too.

Each step's findings lie in FOLDER; the same command goes on where it was ended, and prints all of it.
"""

import argparse
import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench.learning import challenger_rounds
from bench.running.places import CHECKOUT, DATA
from bench.scenario import story_steps as steps
from bench.scenario.final_look import measured
from bench.scenario.hospitals import FIRST, HELD_OUT_SHARE, SECOND, data_folder, parted, studies
from bench.scenario.origin import origin
from bench.scenario.site import Keys, Site, site
from bench.scenario.story import Found, Story
from bench.scenario.story_page import page
from models import STARTER

DOC = "docs/second-hospital.md"
REFERENCE = 300
NICENESS = 5


def main() -> None:
    """Do what is not done yet, and print and write down what was found."""
    asked = _options()
    os.nice(NICENESS)
    folder = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    story = Story(folder / "steps.json")
    if not asked.only_challengers:
        _loop(story, asked, folder)
    if asked.challengers:
        seeds = range(asked.challengers[0], asked.challengers[1] + 1)
        challenger_rounds.run(asked.data, folder / "challengers", seeds)
    text = page(story.found, challenger_rounds.rows_of(folder / "challengers"))
    print(text)
    if asked.write:
        (CHECKOUT / DOC).write_text(text, encoding="utf-8")


def _loop(story: Story, asked: argparse.Namespace, folder: Path) -> None:
    """Do the loop, each step once."""
    first, second = studies(asked.data, FIRST, asked.seed), studies(asked.data, SECOND, asked.seed)
    known, held_out = parted(first, HELD_OUT_SHARE)
    story.step("origin", partial(origin, asked.data, CHECKOUT, [FIRST.data, SECOND.data], asked.seed))
    keys = Keys(asked.recipe, asked.data.resolve() / FIRST.data, asked.start, len(known) + len(second), REFERENCE)
    with site(folder / "node", keys) as here:
        story.step("reference", partial(steps.reference, here, known))
        story.step("held out", partial(steps.held_out, here, held_out))
        sent = story.step("drift", partial(steps.drift, here, second))["sent"]
        story.step("rest", partial(steps.rest, here, second[sent:]))
        kept = data_folder(asked.data / FIRST.data, FIRST.split, held_out, folder / "locked")
        story.step("locked", partial(steps.locked, here, kept, FIRST.split))
        answered = story.step("labels", partial(steps.labels, here, known, second))["answered"]
        if asked.again:
            story.forget("training", "promotion", "tests")
            answered = steps.again(here)
        verdict = story.step("training", partial(steps.training, here, answered))
        _afterwards(story, asked, here, verdict)


def _afterwards(story: Story, asked: argparse.Namespace, here: Site, verdict: Found) -> None:
    """Promote what the gate passed, and look at the test splits."""
    if verdict["verdict"] == "promoted":
        story.step("promotion", partial(steps.promotion, here, verdict["version"]))
    if verdict["bundle"]:
        bundle = here.node.home.data / verdict["bundle"]
        data, reason = [asked.data / one.data for one in (FIRST, SECOND)], "scenario of the second hospital"
        log, now = CHECKOUT / "docs" / "evaluations.csv", datetime.now(UTC)
        story.step("tests", partial(measured, STARTER, bundle, data, log, now, reason))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--folder", type=Path, default=CHECKOUT / "var" / "second-hospital")
    parser.add_argument("--recipe", default="site-64")
    parser.add_argument("--start", default="beside", help="[retrain] start")
    parser.add_argument("--seed", type=int, default=1, help="of the order in which patients come")
    parser.add_argument("--challengers", type=int, nargs=2, metavar=("FIRST", "LAST"), help="seeds of the rounds")
    parser.add_argument("--again", action="store_true", help="train once more, from the same labels, by hand")
    parser.add_argument("--only-challengers", action="store_true")
    parser.add_argument("--write", action="store_true", help=f"write {DOC}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
