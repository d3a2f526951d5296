"""The classifier stage of a training beside a champion: the champion's members as they are, and a site's expert.

It knows bundles, recipes and labelled images; what the network is, `models.training.expert` knows.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle.folder import open_bundle
from models.bundle.manifest import Calibration, Manifest
from models.data.joint import SOURCE, of_source
from models.data.labelled import Images, LabelledImages
from models.evaluation.metrics import auc, balanced_threshold
from models.inference.network import in_batches
from models.inference.reader import sigmoid
from models.networks.weights import arrays_of
from models.training.checkpoints import Work
from models.training.draws import draws_of
from models.training.expert import Shown, beside, champion_network, fitted_expert
from models.training.export import MAP, exported
from models.training.recipe import ClassifierRecipe, Recipe, RecipeError
from models.training.stages import CHANCE, Classifier, Splits, Tell, named

EXPERT, SITE = "expert", "site"

MOST_REPLAYED = 1500
"""Replayed images that an expert sees: enough to know them from the site's, and they are not what it is for."""

FEWEST = 20
"""Patients of each label that an operating point of the site's own needs."""


def classifier_beside(
    plan: Recipe, expert: ClassifierRecipe, images: Splits, seed: int, work: Work, tell: Tell
) -> Classifier:
    """Fit an expert for the site's images and put it beside the champion's classifiers.

    Raises
    ------
    RecipeError
        Where there is no champion to stand beside, its input cannot be made smaller to the expert's, there is nothing
        that is not the site's to tell it from, or the expert learned nothing.
    """
    champion = _champion(plan, expert, work)
    train = _shown(images["train"], seed)
    seen = smaller(train.views(plan.classifier.size), expert.size)
    of_site = np.array([one == SITE for one in train.attributes[SOURCE]], np.bool_)
    shown = Shown(seen, train.labels, of_site, draws_of(train))
    model, log = fitted_expert(shown, expert, seed, work.shelf(EXPERT), partial(tell, EXPERT))
    val = of_source(images["val"], SITE)
    own = in_batches(
        lambda some: np.asarray(model(some, training=False), np.float64),
        smaller(val.views(plan.classifier.size), expert.size),
    )[:, 0]
    _refuse_unlearned(val, own)
    calls_from = champion.classes[0].threshold
    raw = (np.log(calls_from / (1.0 - calls_from)) - champion.calibration.intercept) / champion.calibration.slope
    base = champion_network(plan.classifier.network, plan.classifier.size, work.begins)
    served = beside(base, model, float(raw - _place(val, own)))
    members = {
        f"classifier-{place}" if place > 1 else "classifier": dict(one) for place, one in enumerate(work.begins, 1)
    }
    tried = {
        "seed": seed,
        "member": True,
        "site_val": auc(val.labels, own) if len(set(val.labels.tolist())) > 1 else None,
    }
    return Classifier(
        members | {EXPERT: arrays_of(model)}, exported(served), 1, MAP, calls_from, (tried,), named(EXPERT, seed, log)
    )


def smaller(images: Images, size: int) -> Images:
    """Return images of shape (images, n * size, n * size, 1) at `size`, by the mean of n x n pixels."""
    count, rows = len(images), images.shape[1] // size
    return np.asarray(images.reshape(count, size, rows, size, rows, 1).mean((2, 4)), np.float32)


def calibration_of(work: Work) -> Calibration:
    """Return the champion's calibration, which the network beside it keeps."""
    return open_bundle(_path(work)).manifest.calibration


def _path(work: Work) -> Path:
    if work.champion is None:
        raise RecipeError("an expert stands beside a champion, and none is named")
    return work.champion


def _champion(plan: Recipe, expert: ClassifierRecipe, work: Work) -> Manifest:
    manifest = open_bundle(_path(work)).manifest
    if plan.exclusive or plan.classifier.network != "compact_resnet" or expert.network != "compact_resnet":
        raise RecipeError("an expert stands beside a compact_resnet of one class, and is one: train from scratch")
    if plan.classifier.size % expert.size:
        raise RecipeError(f"{plan.classifier.size} pixels are no multiple of the expert's {expert.size}")
    return manifest


def _shown(train: LabelledImages, seed: int) -> LabelledImages:
    """Return the site's images and some of what is replayed."""
    sources = np.array(train.attributes[SOURCE])
    others = np.flatnonzero(sources != SITE)
    if not len(others):
        raise RecipeError("an expert is told from what is replayed, and nothing is: name folders in replay")
    chosen = set(np.random.default_rng((seed, 5)).permutation(others)[:MOST_REPLAYED].tolist())
    marks = tuple("yes" if one == SITE or place in chosen else "no" for place, one in enumerate(sources))
    picked = of_source(
        replace(train, attributes={**train.attributes, "of": train.attributes[SOURCE], SOURCE: marks}), "yes"
    )
    return replace(picked, attributes={**picked.attributes, SOURCE: picked.attributes["of"]})


def _refuse_unlearned(val: LabelledImages, own: NDArray[np.float64]) -> None:
    if len(set(val.labels.tolist())) > 1 and auc(val.labels, own) <= CHANCE:
        raise RecipeError("the expert learned nothing: its answers on the site's validation images are chance")


def _place(val: LabelledImages, own: NDArray[np.float64]) -> float:
    """Return the logit from which the expert calls the class; the middle of its balanced training where few say."""
    for label in (0, 1):
        if len({group for group, one in zip(val.groups, val.labels, strict=True) if one == label}) < FEWEST:
            return 0.0
    likely = balanced_threshold(val.labels, sigmoid(own))
    return float(np.log(likely / (1.0 - likely)))
