"""What an expert beside the champion is worth: cross-validation and patients held out; no test split is looked at.

    python bench/experts.py [../shared/data] [--bundle models/starter]

The class: patients of chest_nih_adult adapt in five folds, three times; the AUC of the answers for those held out, with
the labels of all other folds or of some, and with or without copies.

Whose image it is: how many held-out adults the expert answers for, and how many images of the first hospital, which it
must leave to the champion: those of val as they are, altered, and shifted in ways that nothing was fitted on; and the
patients with the sharpest images or those where sharpness misleads (`bench/hard_validation.py`), whom it has not seen.
"""

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from bench.learning.hard_patients import held_out
from bench.learning.shifts import shifted
from bench.running.places import DATA
from models import STARTER
from models.bundle.folder import open_bundle
from models.data.dataset import open_data
from models.data.joint import together
from models.data.labelled import LabelledImages
from models.evaluation.metrics import auc
from models.images.altered import KINDS
from models.training.continued import members_in
from models.training.expert import Head, described, logarithms, member_network
from models.training.expert_fit import Describe, Features, Shown, of_the_class, of_the_site, shown
from models.training.stages import altered_copies, prepare
from models.training.threads import load_quietly

ROUNDS, FOLDS, SEED = 3, 5, 1
SHARES = (1.0, 0.8, 0.65, 0.5)
"""Of the labels of the other folds."""

NOBODY = "nobody"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=DATA)
    parser.add_argument("--bundle", type=Path, default=STARTER)
    asked = parser.parse_args()
    load_quietly()
    prepare(2)
    opened = open_bundle(asked.bundle)
    plan = opened.manifest.recipe["classifier"]
    members = [member_network(plan["network"], plan["size"], one) for one in members_in(opened.arrays)]
    describe, size = partial(described, members), int(plan["size"])
    adults = open_data(asked.data / "chest_nih_adult").images("adapt")
    site = shown(adults.views(size), describe, np.random.default_rng(SEED))
    _class_table(adults, site)
    children = open_data(asked.data / "chest_kermany")
    _site_table(adults, site, [children.images(split) for split in ("train", "val")], describe, size)


def _class_table(adults: LabelledImages, site: Shown) -> None:
    print("| learned from | labels | AUC of those held out |\n|---|---|---|")
    for copies in (1, 2, len(site.features)):
        for share in SHARES if copies == len(site.features) else (1.0,):
            reached = [
                _held_out_auc(adults, _of(site, np.arange(len(adults)), copies), share, n) for n in range(ROUNDS)
            ]
            learned = round(share * len(adults) * (FOLDS - 1) / FOLDS)
            print(f"| {copies} of each image | {learned} | {np.mean(reached):.3f} |", flush=True)


def _held_out_auc(adults: LabelledImages, site: Shown, share: float, number: int) -> float:
    said, random = np.zeros(len(adults)), np.random.default_rng(number)
    for train, test in _folds(adults, number):
        some = random.permutation(train)[: round(share * len(train))]
        said[test] = of_the_class(_of(site, some), adults.labels[some])(site.features[0, test])
    return auc(adults.labels, said)


def _folds(adults: LabelledImages, number: int) -> Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=number)
    return list(folds.split(adults.labels, adults.labels, adults.groups))


def _of(site: Shown, some: NDArray[np.int64], copies: int | None = None) -> Shown:
    """Return some images with the first so many of their copies, or all."""
    return Shown(site.features[:copies, some])


def _site_table(
    adults: LabelledImages, site: Shown, children: Sequence[LabelledImages], describe: Describe, size: int
) -> None:
    both = together(children)
    hard = held_out(both.pixels, both.labels.astype(np.float32), both.groups) | {NOBODY: np.zeros(len(both), np.bool_)}
    train, test = _folds(adults, 0)[0]
    of_train = np.arange(len(both)) < len(children[0])
    print("\n| first-hospital patients held out | images | for which the expert answers |\n|---|---|---|")
    for name, out in hard.items():
        known = of_train & ~out
        share = of_the_site(_of(site, train), both.views(size)[known], np.array(both.groups)[known], describe, SEED)
        print(f"| {name} | adults held out | {_passing(share, site.features[0, test])} |")
        if name != NOBODY:
            print(f"| {name} | those | {_passing(share, describe(both.views(size)[out]))} |", flush=True)
            continue
        for kind, features in _changed(children[1], describe, size):
            print(f"| {name} | val, {kind} | {_passing(share, features)} |", flush=True)


def _changed(val: LabelledImages, describe: Describe, size: int) -> Iterator[tuple[str, Features]]:
    random = np.random.default_rng(SEED)
    for kind in KINDS:
        yield kind, describe(altered_copies(val.views(size), kind, random))
    for kind, images in shifted([np.asarray(one, np.uint8) for one in val.pixels], size).items():
        yield kind, describe(images)


def _passing(share: Head, features: Features) -> str:
    return f"{(share(logarithms(features)) > 0).mean():.1%} of {len(features)}"


if __name__ == "__main__":
    main()
