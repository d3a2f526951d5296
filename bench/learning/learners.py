"""What fits a challenger at the gate: the network of a recipe, or in its place a regression on hand-made features."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.learning.divisions import some_of
from models.data.labelled import LabelledImages
from models.inference.admission import described
from models.inference.network import in_batches
from models.networks.weights import arrays_of
from models.training.checkpoints import Shelf
from models.training.draws import once
from models.training.objectives import Shown, fitted_classifier, targets_of
from models.training.recipe import ClassifierRecipe

SIZE, COMPONENTS = 64, 128
"""Of the linear learner: rows and columns of the images that are described, and principal directions."""

TUNED_EPOCHS, TUNED_RATE = 6, 5e-4
"""Of a challenger that goes on from its champion."""

Weights = Mapping[str, NDArray[Any]]
LogitsOf = Callable[[LabelledImages], NDArray[np.float64]]
Learner = Callable[[LabelledImages, int, Path, Weights | None], tuple[LogitsOf, Weights]]
"""From images, a seed, a file for what is half done and weights to go on from: what gives logits, and its weights."""


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
