"""Champions and challengers for the gate's bench: which images each is trained on, and what it then says.

A round has a seed, a division of the patients, a champion and challengers of every kind. What a training said is kept
as a file, so that a bench that was ended goes on, and the same answers can be judged by another protocol.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from models.data.labelled import LabelledImages
from models.evaluation.calibration import calibrated, fit
from models.evaluation.metrics import balanced_threshold
from models.gate.asking import locked_set
from models.gate.values import Answers, LockedSet, Said
from models.inference.network import in_batches
from models.networks.weights import arrays_of
from models.training.checkpoints import Shelf
from models.training.draws import once
from models.training.objectives import Shown, fitted_classifier, targets_of
from models.training.recipe import ClassifierRecipe

CLASS = "pneumonia"
LOCKED_SHARE, CHAMPION_SHARE, HALF, FLIPPED = 0.15, 0.25, 0.5, 0.2
"""Of the patients: those of the site's locked set; of all others, those whom the champion learned from, of these those
in a challenger with half the data. Of the labels: those that are turned round."""

VALIDATION = 0.12
TUNED_EPOCHS, TUNED_RATE = 6, 5e-4
"""Of a challenger that goes on from its champion."""

JPEG_QUALITY = 60


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of one training: what it says, and its weights to go on from."""

    answers: Answers
    weights: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Round:
    """One division of the first hospital's patients, and the second hospital beside it."""

    seed: int
    site: LabelledImages  #: locked, of the same kind as what is trained on
    first: LabelledImages  #: locked, of other equipment
    second: LabelledImages  #: locked, of another hospital
    pool: LabelledImages  #: all that may be learned from
    known: LabelledImages  #: the champion's part of it
    adults: LabelledImages  #: of the other hospital, to learn from

    @property
    def locked(self) -> dict[str, LockedSet]:
        """The locked sets of a challenger for the same hospital."""
        return {
            "site": self._locked("site", self.site, target=True),
            "first": self._locked("first", self.first, target=False),
        }

    @property
    def locked_elsewhere(self) -> dict[str, LockedSet]:
        """The locked sets of a challenger that is made for the other hospital."""
        guards = {name: replace(one, target=False) for name, one in self.locked.items()}
        return {**guards, "second": self._locked("second", self.second, target=True)}

    def _locked(self, name: str, images: LabelledImages, *, target: bool) -> LockedSet:
        return locked_set(name, str(self.seed), "", images, (CLASS,), target=target)

    @property
    def sets(self) -> dict[str, LabelledImages]:
        """All images that versions are asked about."""
        return {"site": self.site, "first": self.first, "second": self.second, "pool": self.pool}


def round_of(
    seed: int, children: Mapping[str, LabelledImages], adults: Mapping[str, LabelledImages], patients: float = 1.0
) -> Round:
    """Return a round: patients are divided by its seed.

    Parameters
    ----------
    seed
        Of the round.
    children, adults
        Of the two hospitals, by split.
    patients
        The share of those that may be learned from who are: less is faster.
    """
    random = np.random.default_rng(seed)
    locked, rest = divided(children["train"], LOCKED_SHARE, random)
    pool = divided(rest, patients, random)[0] if patients < 1.0 else rest
    known, _ = divided(pool, CHAMPION_SHARE, random)
    return Round(seed, locked, children["test"], adults["test"], pool, known, adults["adapt"])


def divided(images: LabelledImages, share: float, random: np.random.Generator) -> tuple[LabelledImages, LabelledImages]:
    """Return the images of a share of the patients, and those of all others."""
    patients = np.unique(np.asarray(images.groups))
    chosen = set(random.permutation(patients)[: round(share * len(patients))].tolist())
    there = np.array([group in chosen for group in images.groups])
    return some_of(images, there), some_of(images, ~there)


def some_of(images: LabelledImages, there: NDArray[np.bool_]) -> LabelledImages:
    """Return those of the images that are chosen, with what is known of each."""
    numbers = np.flatnonzero(there)
    return LabelledImages(
        tuple(images.pixels[number] for number in numbers),
        images.labels[numbers],
        tuple(images.groups[number] for number in numbers),
        tuple(images.names[number] for number in numbers),
        attributes={name: tuple(column[number] for number in numbers) for name, column in images.attributes.items()},
    )


def joined(one: LabelledImages, other: LabelledImages) -> LabelledImages:
    """Return the images of both, without what is known of them beside label and patient."""
    return LabelledImages(
        one.pixels + other.pixels,
        np.concatenate([one.labels, other.labels]),
        one.groups + other.groups,
        one.names + other.names,
    )


def more_data(one: Round) -> LabelledImages:
    """Return all that there is of the same kind: what a good challenger learns from."""
    return one.pool


def half_the_data(one: Round) -> LabelledImages:
    """Return what half of the champion's patients leave."""
    return divided(one.known, HALF, np.random.default_rng(one.seed))[0]


def flipped(one: Round) -> LabelledImages:
    """Return all images, a fifth of their labels turned round."""
    random = np.random.default_rng(one.seed)
    turned = random.random(len(one.pool)) < FLIPPED
    return replace(one.pool, labels=np.where(turned, 1 - one.pool.labels, one.pool.labels), _views={})


def single_class(one: Round) -> LabelledImages:
    """Return the images of the ill alone."""
    return some_of(one.pool, one.pool.labels == 1)


def duplicated(one: Round) -> LabelledImages:
    """Return the champion's images and those of the site's locked set, compressed anew, as those of other patients."""
    again = tuple(_compressed(pixels) for pixels in one.site.pixels)
    renamed = tuple(f"again-{group}" for group in one.site.groups)
    return joined(one.known, replace(one.site, pixels=again, groups=renamed, _views={}))


def elsewhere(one: Round) -> LabelledImages:
    """Return the other hospital's images alone."""
    return one.adults


def trained(
    one: Round,
    name: str,
    images: LabelledImages,
    plan: ClassifierRecipe,
    keep: Path,
    tell: Callable[[str], None],
    begins: Mapping[str, NDArray[Any]] | None = None,
) -> Trained:
    """Return what a training on some images says of every locked set; from its file where it was done before."""
    path = keep / f"{one.seed}-{name}.npz"
    if not path.exists():
        tell(f"round {one.seed}: training {name} on {len(images)} images")
        new = keep / f"{one.seed}-new.npz"
        np.savez(new, **_fitted(one, images, plan, keep / f"{one.seed}-{name}-part.npz", begins))
        new.rename(path)
    with np.load(path, allow_pickle=False) as stored:
        table = {key: stored[key] for key in stored.files}
    said = {key: Said({CLASS: table[f"said {key}"].astype(np.float64)}) for key in one.sets}
    answers = Answers("bench", f"{name} {one.seed}", "", {CLASS: float(table["threshold"])}, said)
    return Trained(answers, {key[2:]: value for key, value in table.items() if key.startswith("w ")})


def _fitted(
    one: Round,
    images: LabelledImages,
    plan: ClassifierRecipe,
    part: Path,
    begins: Mapping[str, NDArray[Any]] | None,
) -> dict[str, NDArray[Any]]:
    val, train = divided(images, VALIDATION, np.random.default_rng(one.seed + 1000))
    plan = plan if begins is None else replace(plan, epochs=TUNED_EPOCHS, rate=TUNED_RATE)
    shown = Shown(train.views(plan.size), targets_of(train.labels, 1), once(len(train)))
    model, _ = fitted_classifier(shown, plan, one.seed, Shelf(part), lambda *_: None, begins)
    logits = _logits(model, val, plan.size)
    calibration = fit(logits, val.labels)
    table: dict[str, Any] = {f"w {name}": value for name, value in arrays_of(model).items()}
    table["threshold"] = np.array(balanced_threshold(val.labels, calibrated(logits, calibration)))
    for name, some in one.sets.items():
        table[f"said {name}"] = calibrated(_logits(model, some, plan.size), calibration)
    part.unlink(missing_ok=True)
    return table


def _logits(model: keras.Model, images: LabelledImages, size: int) -> NDArray[np.float64]:
    return in_batches(lambda some: model(some, training=False), images.views(size))[:, 0].astype(np.float64)


def _compressed(pixels: Any) -> NDArray[np.uint8]:
    _, content = cv2.imencode(".jpg", np.asarray(pixels, np.uint8), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), np.uint8)


KINDS: Sequence[tuple[str, Callable[[Round], LabelledImages]]] = (
    ("more data", more_data),
    ("without replay", elsewhere),
    ("labels flipped", flipped),
    ("single class", single_class),
    ("duplicates", duplicated),
    ("half the data", half_the_data),
)
"""Every kind of challenger, the good one first."""
