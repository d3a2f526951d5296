"""Champions and challengers for the gate's bench: which images each is trained on, and what it then says.

A round has a seed, a division of the patients, a champion and challengers of every kind. What a training said is kept
as a file, so that a bench that was ended goes on, and the same answers can be judged by another protocol.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.data.labelled import LabelledImages
from models.evaluation.calibration import calibrated, fit
from models.evaluation.metrics import balanced_threshold
from models.gate.asking import locked_set
from models.gate.values import Answers, LockedSet, Said
from models.inference.admission import described
from models.inference.network import in_batches
from models.networks.weights import arrays_of
from models.training.checkpoints import Shelf
from models.training.draws import once
from models.training.objectives import Shown, fitted_classifier, targets_of
from models.training.operating_point import Validated, operating_point
from models.training.recipe import ClassifierRecipe

CLASS = "pneumonia"
LOCKED_SHARE, CHAMPION_SHARE, HALF, FLIPPED = 0.15, 0.25, 0.5, 0.2
"""Of the patients: those of the site's locked set; of all others, those whom the champion learned from, of these those
in a challenger with half the data. Of the labels: those that are turned round."""

VALIDATION = 0.12
SIZE, COMPONENTS = 64, 128
"""Of the linear learner: rows and columns of the images that are described, and principal directions."""

TUNED_EPOCHS, TUNED_RATE = 6, 5e-4
"""Of a challenger that goes on from its champion."""

JPEG_QUALITY = 60


Weights = Mapping[str, NDArray[Any]]
LogitsOf = Callable[[LabelledImages], NDArray[np.float64]]
Learner = Callable[[LabelledImages, int, Path, Weights | None], tuple[LogitsOf, Weights]]
"""From images, a seed, a file for what is half done and weights to go on from: what gives logits, and its weights."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of one training: what it says, and its weights to go on from."""

    answers: Answers
    weights: Weights


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
    learner: Learner,
    keep: Path,
    tell: Callable[[str], None],
    begins: Weights | None = None,
) -> Trained:
    """Return what a training on some images says of every locked set; from its file where it was done before."""
    path = keep / f"{one.seed}-{name}.npz"
    if not path.exists():
        tell(f"round {one.seed}: training {name} on {len(images)} images")
        new = keep / f"{one.seed}-new.npz"
        np.savez(new, **_fitted(one, images, learner, keep / f"{one.seed}-{name}-part.npz", begins))
        new.rename(path)
    with np.load(path, allow_pickle=False) as stored:
        table = {key: stored[key] for key in stored.files}
    said = {key: Said({CLASS: table[f"said {key}"].astype(np.float64)}) for key in one.sets}
    answers = Answers("bench", f"{name} {one.seed}", "", {CLASS: float(table["threshold"])}, said)
    return Trained(answers, {key[2:]: value for key, value in table.items() if key.startswith("w ")})


def placed(one: Round, images: LabelledImages, champion: Trained, challenger: Trained) -> Answers:
    """Return a challenger's answers, its operating point where the node would put it, as far as validation tells.

    That is by images which the champion has not seen; where they are of one label, its own point stays.
    """
    val, _ = divided(images, VALIDATION, np.random.default_rng(one.seed + 1000))
    place, known = {name: number for number, name in enumerate(one.pool.names)}, set(one.known.names)
    new = [number for number, name in enumerate(val.names) if name in place and name not in known]
    numbers, labels = [place[val.names[number]] for number in new], val.labels[new]
    if len(set(labels.tolist())) < 2:
        return challenger.answers
    before, after = (each.answers.said["pool"].probabilities[CLASS][numbers] for each in (champion, challenger))
    kept = float((before[labels == 1] >= champion.answers.thresholds[CLASS]).mean())
    return replace(challenger.answers, thresholds={CLASS: operating_point([Validated(labels, after, kept)])})


def _fitted(
    one: Round, images: LabelledImages, learner: Learner, part: Path, begins: Weights | None
) -> dict[str, NDArray[Any]]:
    val, train = divided(images, VALIDATION, np.random.default_rng(one.seed + 1000))
    logits_of, weights = learner(train, one.seed, part, begins)
    logits = logits_of(val)
    calibration = fit(logits, val.labels)
    table: dict[str, Any] = {f"w {name}": value for name, value in weights.items()}
    table["threshold"] = np.array(balanced_threshold(val.labels, calibrated(logits, calibration)))
    for name, some in one.sets.items():
        table[f"said {name}"] = calibrated(logits_of(some), calibration)
    part.unlink(missing_ok=True)
    return table


def network(plan: ClassifierRecipe, onwards: tuple[int, float] = (TUNED_EPOCHS, TUNED_RATE)) -> Learner:
    """Return what fits the network of a recipe, or goes on from a champion's for so many epochs at this rate."""

    def learn(train: LabelledImages, seed: int, part: Path, begins: Weights | None) -> tuple[LogitsOf, Weights]:
        here = plan if begins is None else replace(plan, epochs=onwards[0], rate=onwards[1])
        shown = Shown(train.views(plan.size), targets_of(train.labels, 1), once(len(train)))
        model, _ = fitted_classifier(shown, here, seed, Shelf(part), lambda *_: None, begins)

        def logits(images: LabelledImages) -> NDArray[np.float64]:
            seen = images.views(plan.size)
            return in_batches(lambda some: model(some, training=False), seen)[:, 0].astype(np.float64)

        return logits, arrays_of(model)

    return learn


def linear() -> Learner:
    """Return what fits a logistic regression on hand-made features, in seconds; it has nothing to go on from."""
    known: dict[int, NDArray[np.float32]] = {}  # of each image, by its place in memory: rounds share the images

    def features(images: LabelledImages) -> NDArray[np.float32]:
        new = [number for number, pixels in enumerate(images.pixels) if id(pixels) not in known]
        if new:
            there = np.zeros(len(images), bool)
            there[new] = True
            for number, vector in zip(new, described(some_of(images, there).views(SIZE)), strict=True):
                known[id(images.pixels[number])] = vector
                held.append(images.pixels[number])
        return np.stack([known[id(pixels)] for pixels in images.pixels])

    held: list[object] = []  # what is kept alive keeps its place

    def learn(train: LabelledImages, seed: int, _part: Path, _begins: Weights | None) -> tuple[LogitsOf, Weights]:
        kept = min(COMPONENTS, len(train) // 2)
        classify = make_pipeline(
            StandardScaler(), PCA(kept, random_state=seed), LogisticRegression(C=0.01, max_iter=500)
        )
        classify.fit(features(train), train.labels)
        return lambda images: np.asarray(classify.decision_function(features(images)), np.float64), {}

    return learn


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
