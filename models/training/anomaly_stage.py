"""The anomaly stage of a training: parts fitted on normals, and the scale of their scores on normals held out.

It knows which split each thing is fitted on; what a score means is `models.inference.anomaly`'s. The scale comes from
held-out normals as they are and as other hospitals would have made them, so that a part which follows the equipment
does not outweigh the others.
"""

from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
from numpy.typing import NDArray

from models.bundle.folder import Arrays
from models.bundle.manifest import Anomaly, AnomalyPart
from models.data.labelled import Images, LabelledImages
from models.inference.admission import described, fit_feature_autoencoder
from models.inference.anomaly import WEIGHTS, Scores, mask_score, residual_score, scaled
from models.inference.network import in_batches
from models.networks.weights import arrays_of
from models.training import objectives as networks
from models.training.checkpoints import Work
from models.training.litert_export import exported
from models.training.recipe import AnomalyRecipe, FeaturesRecipe, RestoringRecipe
from models.training.stages import Rows, Splits, Tell, elsewhere, hard_copies, named


@dataclass(frozen=True, slots=True)
class FittedAnomaly:
    """The fitted parts of an anomaly score and its scale on held-out normals."""

    arrays: dict[str, Arrays]  #: by file: weights for retraining, and of the features
    networks: dict[str, bytes]  #: by network, as LiteRT runs it
    anomaly: Anomaly
    log: Rows


@dataclass(frozen=True, slots=True)
class _Fitted:
    """One fitted network or feature autoencoder: its file, and the parts that it makes with their raw scores."""

    file: str
    arrays: Arrays
    network: bytes | None
    parts: tuple[tuple[AnomalyPart, Scores], ...]
    log: Rows = ()


def anomaly(plan: AnomalyRecipe, images: Splits, seed: int, work: Work, tell: Tell) -> FittedAnomaly:
    """Fit every part of a recipe's anomaly score on the normals of train; its scale comes from those of val."""
    fitted = [_restoring(plan.restoring, images, seed, work, tell)]
    if plan.one_class:
        fitted.append(_one_class(plan.one_class, images, seed, work, tell))
    if plan.features:
        fitted.append(_features(plan.features, images, seed, tell))
    parts = [pair for one in fitted for pair in one.parts]
    return FittedAnomaly(
        {one.file: one.arrays for one in fitted},
        {one.file: one.network for one in fitted if one.network is not None},
        scaled([part for part, _ in parts], [scores for _, scores in parts]),
        tuple(row for one in fitted for row in one.log),
    )


def _restoring(plan: RestoringRecipe, images: Splits, seed: int, work: Work, tell: Tell) -> _Fitted:
    name, held_out = "autoencoder", _held_out(images, plan.size, seed)
    train, shelf, told = _normals(images["train"], plan.size), work.shelf(name), partial(tell, name)
    model, log = networks.fitted_autoencoder(train, plan, seed, shelf, told)
    mask = mask_score(_said(model, held_out, "mask"))
    residual = residual_score(held_out, _said(model, held_out, "restored"))
    parts = (
        (_part("restoring", f"{name}.tflite", plan.size, plan.width), mask),
        (_part("residual", f"{name}.tflite", plan.size, plan.width), residual),
    )
    return _Fitted(name, arrays_of(model), exported(model), parts, named(name, seed, log))


def _one_class(plan: RestoringRecipe, images: Splits, seed: int, work: Work, tell: Tell) -> _Fitted:
    name, held_out = "one_class", _held_out(images, plan.size, seed)
    train, shelf, told = _normals(images["train"], plan.size), work.shelf(name), partial(tell, name)
    model, log = networks.fitted_one_class(train, plan, seed, shelf, told)
    part = _part(name, f"{name}.tflite", plan.size, plan.width)
    scores = mask_score(_said(model, held_out, "mask"))
    return _Fitted(name, arrays_of(model), exported(model), ((part, scores),), named(name, seed, log))


def _features(plan: FeaturesRecipe, images: Splits, seed: int, tell: Tell) -> _Fitted:
    """Fit on normals as they are and as other hospitals would have made them."""
    name, told = "features", partial(tell, "features")
    told(0, 1)
    random, train = np.random.default_rng((seed, 3)), _normals(images["train"], plan.size)
    varied = np.stack([elsewhere(image[..., 0], random)[..., np.newaxis] for image in train])
    known = fit_feature_autoencoder(described(np.concatenate([train, varied])), plan.components)
    scores = known.score(described(_held_out(images, plan.size, seed)))
    told(1, 1)
    return _Fitted(name, known.arrays(), None, ((_part(name, f"{name}.npz", plan.size), scores),))


def _part(kind: str, file: str, size: int, width: int = 0) -> AnomalyPart:
    return AnomalyPart(kind, file, size, mean=0.0, deviation=1.0, width=width, weight=WEIGHTS[kind])


def _said(model: keras.Model, images: Images, output: str) -> NDArray[np.float32]:
    return in_batches(lambda some: np.asarray(model(some, training=False)[output]), images)


def _held_out(images: Splits, size: int, seed: int) -> Images:
    return hard_copies(_normals(images["val"], size), seed, elsewhere)


def _normals(images: LabelledImages, size: int) -> Images:
    return np.asarray(images.views(size)[images.labels == 0], np.float32)
