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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.data.labelled import LabelledImages
from models.data.zips import read_images, read_rows
from models.evaluation.metrics import auc
from models.images.preprocess import Image, network_input, resize, stretch
from models.training.recipe import read_recipe
from models.training.threads import limit_threads

SHARE = 0.2
"""Share of the patients of each class that is held out."""

RINGS = 12
"""Rings of the spectrum, from a quarter of the Nyquist frequency up to it."""

THREADS = 2
"""TensorFlow's, where networks are fitted."""

Pixels = NDArray[np.uint8]


def acquisition(pixels: Pixels) -> NDArray[np.float64]:
    """Return what tells the equipment rather than the child: spectrum, blur and edges; shape (RINGS + 5,)."""
    image = network_input(pixels, None, False, 224)[..., 0]
    edges = [image[:9], image[-9:], image[:, :9], image[:, -9:]]
    return np.array([*rings(image), blur(image), *(float((edge < 0.03).mean()) for edge in edges)])


def rings(image: Image) -> NDArray[np.float64]:
    """Return the mean log power of each ring of frequencies, shape (RINGS,)."""
    window = np.outer(np.hanning(image.shape[0]), np.hanning(image.shape[1]))
    power = np.log(np.abs(np.fft.rfft2((image - image.mean()) * window)) ** 2 + 1e-6)
    radius = np.hypot(np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])[None]) / 0.5
    number = np.floor((radius - 0.25) / 0.75 * RINGS).astype(int)
    return np.array([power[number == ring].mean() for ring in range(RINGS)])


def blur(image: Image) -> float:
    """Return the negative spread of the Laplacian at 128 px."""
    return -float(cv2.Laplacian(resize(image, 128), cv2.CV_32F).std())


def held_out(
    pixels: Sequence[Pixels], labels: NDArray[np.float32], groups: Sequence[str]
) -> dict[str, NDArray[np.bool_]]:
    """Return for `swapped` and `sharper` which images are held out, each of shape (images,)."""
    features = np.stack([acquisition(image) for image in pixels])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=2000))
    looks_ill = cross_val_predict(model, features, labels, groups=groups, cv=GroupKFold(5), method="decision_function")
    wrong = np.where(labels == 0, looks_ill, -looks_ill)
    return {
        "swapped": of_highest_groups(wrong, labels, groups),
        "sharper": of_highest_groups(-features[:, RINGS], labels, groups),
    }


def of_highest_groups(
    values: NDArray[np.float64], labels: NDArray[np.float32], groups: Sequence[str]
) -> NDArray[np.bool_]:
    """Return which images belong to the SHARE of groups of either class whose mean value is highest."""
    names, number = np.unique(np.asarray(groups), return_inverse=True)
    mean = np.bincount(number, values) / np.bincount(number)
    ill = np.bincount(number, labels) > 0
    chosen = np.zeros(len(names), bool)
    for kind in (ill, ~ill):
        chosen |= kind & (mean >= np.quantile(mean[kind], 1 - SHARE))
    return np.asarray(chosen[number], bool)


def jpeg(pixels: Pixels) -> Pixels:
    """Return the image after a JPEG of quality 25."""
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 25])[1], 0), np.uint8)


def small_detector(pixels: Pixels) -> Pixels:
    """Return the image by way of 96 x 96."""
    return np.asarray(cv2.resize(cv2.resize(pixels, (96, 96), interpolation=cv2.INTER_AREA), (224, 224)), np.uint8)


def equalised(pixels: Pixels) -> Pixels:
    """Return the image under CLAHE, as some consoles show it."""
    return np.asarray(cv2.createCLAHE(3.0, (8, 8)).apply(pixels), np.uint8)


def black_edges(pixels: Pixels) -> Pixels:
    """Return the image with black edges of 10 % on every side, nothing cut off."""
    inner = cv2.resize(pixels, (180, 180), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.copyMakeBorder(inner, 22, 22, 22, 22, cv2.BORDER_CONSTANT, value=0), np.uint8)


def black_sides(pixels: Pixels) -> Pixels:
    """Return the image with black edges of 12 % left and right, painted over what was there."""
    image = pixels.copy()
    image[:, :27] = image[:, -27:] = 0
    return image


def turned(pixels: Pixels) -> Pixels:
    """Return the image turned by 12 degrees, black where nothing was."""
    return np.asarray(cv2.warpAffine(pixels, cv2.getRotationMatrix2D((112, 112), 12, 1), (224, 224)), np.uint8)


def edged(pixels: Pixels) -> Pixels:
    """Return the image after strong edge enhancement, as newer detectors do it."""
    image = pixels.astype(np.float32)
    return np.asarray(np.clip(image + 2.0 * (image - cv2.GaussianBlur(image, (0, 0), 1.5)), 0, 255), np.uint8)


SHIFTS: dict[str, Callable[[Pixels], Pixels]] = {
    change.__name__: change for change in (jpeg, small_detector, equalised, black_edges, black_sides, turned, edged)
}


def shifted(pixels: Sequence[Pixels], size: int) -> dict[str, NDArray[np.float32]]:
    """Return network inputs of each shift, each of shape (images, size, size, 1)."""
    return {name: np.stack([stretched(change(image), size) for image in pixels]) for name, change in SHIFTS.items()}


def stretched(pixels: Pixels, size: int) -> NDArray[np.float32]:
    """Return the network's input of 8-bit pixels."""
    return stretch(network_input(pixels, None, False, size)[..., 0])[..., np.newaxis]


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
    from bench.learning.operating_points import SMALL, compare  # noqa: PLC0415 TensorFlow only for this question

    limit_threads(THREADS)
    own = read_recipe("starter").classifier
    plan = own if options.whole else replace(own, **SMALL)
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
