"""The stages of a training, one function each: images in, arrays and what was fixed on held-out images out.

It knows which split each thing is fitted on and which it is fixed on: networks on train, the operating point and the
limits on val as other equipment would have made it, because the next hospital's images will differ in just that. The
test split is measured, and nothing is chosen by it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from models.bundle.folder import Arrays
from models.data.labelled import Images, LabelledImages
from models.evaluation import metrics
from models.images.altered import KINDS, altered
from models.images.augment import equipment, nudged
from models.images.preprocess import Image
from models.images.shift import shift
from models.inference.admission import described, fit_feature_autoencoder
from models.inference.reader import in_batches, sigmoid
from models.networks.weights import arrays_of
from models.training import objectives as networks
from models.training.checkpoints import Shelf, Work, begin_of
from models.training.draws import draws_of
from models.training.fitting import Log
from models.training.litert_export import MAP, averaged, exported, with_map
from models.training.recipe import AdmissionRecipe, ClassifierRecipe, PlainRecipe, Recipe, RecipeError
from models.training.seeds import classifier_stage, further_seeds_of, members_of
from models.training.threads import limit_threads

HARD_COPIES = 3
"""Copies of the validation images, each as other equipment would have made it, beside the images as they are."""

MAJORITY = 0.5
"""Operating point of classes that exclude each other: present is what is likelier than all others together, so that
never two of them are."""

ALIKE, CHANCE = 1e-6, 0.5
"""Range of logits, and AUC, up to which a classifier has learned nothing."""

MEASURED = ("val", "test")

Tell = Callable[[str, int, int], None]
"""Called with the stage, what is done and what there is to do."""

Change = Callable[[Image, np.random.Generator], Image]
"""A random change of one image of shape (size, size)."""

Splits = dict[str, LabelledImages]

Rows = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Classifier:
    """The fitted members, averaged, and their operating point."""

    arrays: dict[str, Arrays]  #: of each member, by its seed: `classifier`, `classifier-2`, ...
    network: bytes  #: as LiteRT runs it
    channels: int  #: of its input
    map: str  #: the name of its map among its outputs, or empty
    threshold: float
    tried: Rows  #: each member with its measures: `seed`, `hard_val`, `val`, `test`, `member`
    log: Rows


@dataclass(frozen=True, slots=True)
class Spread:
    """What the seeds that do not ship reached."""

    tried: Rows  #: as of `Classifier`
    log: Rows


@dataclass(frozen=True, slots=True)
class Measured:
    """What a network reached whose weights are not kept."""

    measures: dict[str, float]  #: by split
    log: Rows


@dataclass(frozen=True, slots=True)
class Admission:
    """The fitted feature autoencoder and the score up to which it admits."""

    arrays: Arrays
    limit: float


@dataclass(frozen=True, slots=True)
class _Trial:
    """One seed's classifier."""

    model: keras.Model
    hard: NDArray[np.float64]  #: what it says of the hard validation images
    measures: dict[str, Any]
    log: Rows


def prepare(threads: int) -> None:
    """Keep to the machine's share that the recipe asks for."""
    limit_threads(threads)
    cv2.setNumThreads(1)


def classifier(plan: Recipe, images: Splits, seed: int, work: Work, tell: Tell) -> Classifier:
    """Fit a classifier from each of the first `members` seeds, and average them.

    Raises
    ------
    RecipeError
        Where what was fitted tells no image from another.
    """
    (hard, labels), size = _hard(plan, images, seed), plan.classifier.size
    members = [_trial(plan, images, (hard, labels), one, work, tell) for one in members_of(plan, seed)]
    said = np.mean([trial.hard for trial in members], axis=0)
    _refuse_unlearned(labels, said)
    served = averaged([with_map(trial.model) for trial in members])
    return Classifier(
        {
            f"classifier-{place}" if place > 1 else "classifier": arrays_of(one.model)
            for place, one in enumerate(members, 1)
        },
        exported(served),
        members[0].model.input_shape[-1],
        MAP if MAP in served.output else "",
        MAJORITY if plan.exclusive else _operating_point([trial.model for trial in members], images["val"], size, seed),
        tuple({**trial.measures, "member": True} for trial in members),
        tuple(row for trial in members for row in trial.log),
    )


def spread(plan: Recipe, images: Splits, seed: int, work: Work, tell: Tell) -> Spread:
    """Fit a classifier from each seed after the members', only to know how far seeds lie apart."""
    further = further_seeds_of(plan, seed)
    hard = _hard(plan, images, seed) if further else None
    tried = [_trial(plan, images, hard, one, work, tell) for one in further if hard]
    return Spread(
        tuple({**trial.measures, "member": False} for trial in tried),
        tuple(row for trial in tried for row in trial.log),
    )


def measured(images: Splits) -> tuple[str, ...]:
    """Return the splits that a bundle is measured on: of a site's own labels, no test is there to be seen."""
    return tuple(split for split in MEASURED if split in images)


def baseline(plan: ClassifierRecipe, images: Splits, classes: int, seed: int, work: Work, tell: Tell) -> Measured:
    """Fit the textbook CNN, only to know what the classifier is worth beside it."""
    model, log = _fitted(plan, images, classes, seed, work.shelf("baseline"), partial(tell, "baseline"))
    reached = {
        split: _worth(images[split].labels, _logits(model, images[split].views(plan.size)))
        for split in measured(images)
    }
    return Measured(reached, named("baseline", seed, log))


def plain_autoencoder(plan: PlainRecipe, images: Splits, seed: int, work: Work, tell: Tell) -> Measured:
    """Fit the textbook's autoencoder on normals, only to know what its reconstruction error says: the AUC of that."""
    name = "plain_autoencoder"
    normals = np.asarray(images["train"].views(plan.size)[images["train"].labels == 0], np.float32)
    model, log = networks.fitted_plain_autoencoder(normals, plan, seed, work.shelf(name), partial(tell, name))
    reached = {}
    for split in measured(images):
        seen = images[split].views(plan.size)
        errors = in_batches(lambda some: ((np.asarray(model(some, training=False)) - some) ** 2).mean((1, 2, 3)), seen)
        reached[split] = metrics.auc(images[split].labels, errors.astype(np.float64))
    return Measured(reached, named(name, seed, log))


def admission(plan: AdmissionRecipe, images: Splits, seed: int, tell: Tell) -> Admission:
    """Fit on chests as they are and as other hospitals would have made them; fix the limit on held-out ones.

    The limit looks at other equipment only: held-out chests that are also squeezed and sheared would raise it until
    it lets other body parts in.
    """
    tell("admission", 0, 2)
    random = np.random.default_rng((seed, 1))
    train, held_out = (images[split].views(plan.size) for split in ("train", "val"))
    varied = np.stack([elsewhere(image[..., 0], random)[..., np.newaxis] for image in train])
    fitted = fit_feature_autoencoder(described(np.concatenate([train, varied])), plan.components)
    tell("admission", 1, 2)
    scores = fitted.score(described(hard_copies(held_out, seed, equipment)))
    tell("admission", 2, 2)
    return Admission(fitted.arrays(), float(np.percentile(scores, plan.held_out_percentile)))


def hard_copies(images: Images, seed: int, change: Change) -> Images:
    """Return the images as they are, then changed copies, shape (images * (1 + HARD_COPIES), size, size, 1)."""
    random = np.random.default_rng((seed, 2))
    copies = [change(image[..., 0], random)[..., np.newaxis] for _ in range(HARD_COPIES) for image in images]
    return np.asarray(np.concatenate([images, np.stack(copies)]), np.float32)


def altered_copies(images: Images, kind: str, random: np.random.Generator) -> Images:
    """Return images of shape (images, size, size, 1) as one of `models.images.altered.KINDS` shows them."""
    return np.stack([altered(image[..., 0], kind, random)[..., np.newaxis] for image in images])


def elsewhere(image: Image, random: np.random.Generator) -> Image:
    """Return the image as another hospital would have made it: another position, other equipment."""
    return equipment(nudged(image, random), random)


def named(network: str, seed: int, log: Log) -> Rows:
    """Return the rows of a network's log under its name and seed."""
    return tuple({"network": network, "seed": seed, "epoch": number, **row} for number, row in enumerate(log, start=1))


def _operating_point(members: Sequence[keras.Model], images: LabelledImages, size: int, seed: int) -> float:
    """Return the probability from which a single class is called, placed by validation images.

    It is the one at which the worst of several kinds of altered copies has the best balanced accuracy: of six rules the
    best on patients held out by their equipment (docs/training.md).
    """
    random = np.random.default_rng((seed, 4))
    copies = (altered_copies(images.views(size), kind, random) for kind in KINDS)
    said = [sigmoid(np.mean([_logits(one, some) for one in members], axis=0))[:, 0] for some in copies]
    return metrics.balanced_threshold(images.labels, *said)


def _hard(plan: Recipe, images: Splits, seed: int) -> tuple[Images, NDArray[np.int64]]:
    """Return validation images made hard, and their labels."""
    change = shift if plan.classifier.augmentation == "shift" else elsewhere
    hard = hard_copies(images["val"].views(plan.classifier.size), seed, change)
    return hard, np.tile(images["val"].labels, len(hard) // len(images["val"]))


def _refuse_unlearned(labels: NDArray[np.int64], logits: NDArray[np.float64]) -> None:
    """Refuse a classifier that says the same of all images, or of one class the opposite."""
    single = logits.shape[1] == 1
    if np.ptp(logits, axis=0).max() < ALIKE or (single and metrics.auc(labels, logits[:, 0]) <= CHANCE):
        raise RecipeError(
            "the classifier learned nothing: its answers on validation images are no better than chance; "
            "lower classifier.rate, train for more epochs, or look at the labels"
        )


def _trial(
    plan: Recipe,
    images: Splits,
    hard: tuple[Images, NDArray[np.int64]],
    seed: int,
    work: Work,
    tell: Tell,
) -> _Trial:
    """Fit one seed's classifier and measure it."""
    own, size = plan.classifier, plan.classifier.size
    told = partial(tell, classifier_stage(plan, seed))
    shelf, begins = work.shelf(f"classifier-{seed}"), begin_of(work, seed)
    model, log = _fitted(own, images, len(plan.classes), seed, shelf, told, begins)
    said = _logits(model, hard[0])
    measures = {
        split: _worth(images[split].labels, _logits(model, images[split].views(size))) for split in measured(images)
    }
    return _Trial(
        model,
        said,
        {"seed": seed, "hard_val": _worth(hard[1], said), **measures},
        named("classifier", seed, log),
    )


def _fitted(
    plan: ClassifierRecipe,
    images: Splits,
    classes: int,
    seed: int,
    shelf: Shelf,
    tell: Callable[[int, int], None],
    begins: Mapping[str, NDArray[Any]] | None = None,
) -> tuple[keras.Model, Log]:
    train = images["train"]
    shown = networks.Shown(train.views(plan.size), networks.targets_of(train.labels, classes), draws_of(train))
    return networks.fitted_classifier(shown, plan, seed, shelf, tell, begins)


def _logits(model: keras.Model, images: Images) -> NDArray[np.float64]:
    """Return what a classifier says, shape (images, outputs)."""
    channels = model.input_shape[-1]
    return in_batches(lambda some: np.asarray(model(np.repeat(some, channels, -1), training=False), np.float64), images)


def _worth(labels: NDArray[np.int64], logits: NDArray[np.float64]) -> float:
    """Return the AUC of a single class, or the accuracy of several."""
    if logits.shape[1] == 1:
        return metrics.auc(labels, logits[:, 0])
    return float((logits.argmax(1) == labels).mean())
