"""Hard validation data from train and val alone: patients held out by how their images were acquired.

Three questions, none of which looks at a test split:

swapped
    A logistic regression on acquisition alone (spectrum above a quarter of the Nyquist frequency, blur, blackness of
    the four edges) is cross-fitted by patient. The fifth of normal patients that it takes for pneumonia most, and the
    fifth of pneumonia patients that it takes for normal most, are held out: there the shortcut points the wrong way.
sharper
    The sharpest fifth of the patients of each class is held out, as a hospital with newer detectors.
shifts
    The rest of val under changes that no augmentation was written after: JPEG, a smaller detector, CLAHE, black edges.

Fit on train without the patients held out, fix threshold and calibration on the rest of val, measure on those held out,
wherever they come from. Run by hand with the folder of the data set; it prints what is held out, and with
`--operating-point SEED ...` it compares rules for the operating point there.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.learning.hard_patients import blur, held_out
from models.data.labelled import LabelledImages
from models.data.zips import read_images, read_rows
from models.evaluation.metrics import auc
from models.images.preprocess import network_input
from models.training.recipe import read_recipe
from models.training.threads import limit_threads

THREADS = 2
"""TensorFlow's, where networks are fitted."""


def main(options: argparse.Namespace) -> None:
    """Print how many images each question holds out, and what blur alone is worth on them and on the rest."""
    rows = read_rows(options.folder)
    splits = {name: read_images(options.folder, name, rows) for name in ("train", "val")}
    pixels = [image for split in splits.values() for image in split.pixels]
    groups = [group for split in splits.values() for group in split.groups]
    labels = np.concatenate([split.labels for split in splits.values()]).astype(np.float32)
    blurs = np.array([blur(network_input(image, None, False, 224)[..., 0]) for image in pixels])
    questions = held_out(pixels, labels, groups)
    for name, out in questions.items():
        present, worth = int(labels[out].sum()), (auc(labels[some], blurs[some]) for some in (out, ~out))
        print(name, f"{out.sum()} images, {present} with the finding; AUC of blur", *(f"{area:.3f}" for area in worth))
    if options.operating_point:
        _compare_rules(splits, questions, options)


def _compare_rules(
    splits: Mapping[str, LabelledImages], questions: Mapping[str, NDArray[np.bool_]], options: argparse.Namespace
) -> None:
    """Print what each rule for the operating point reaches on those held out."""
    from bench.learning.operating_points import SHORT, SMALL, compare  # noqa: PLC0415 TensorFlow only for this question

    limit_threads(THREADS)
    own = read_recipe("starter").classifier
    plan = own if options.whole else replace(own, size=SMALL, epochs=SHORT)
    count = len(splits["train"])
    compare(
        plan,
        {name: (split.views(plan.size), split.labels) for name, split in splits.items()},
        {name: {"train": out[:count], "val": out[count:]} for name, out in questions.items()},
        options.operating_point,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the data set")
    parser.add_argument(
        "--operating-point",
        type=int,
        nargs="+",
        metavar="SEED",
        help="compare rules for the operating point on those held out, with networks of these seeds",
    )
    parser.add_argument("--whole", action="store_true", help="with networks as large and as long as those that ship")
    return parser.parse_args()


if __name__ == "__main__":
    main(_options())
