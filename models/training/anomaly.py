"""The anomaly stage of a training: networks fitted on normals, and the scale of their scores on normals held out.

It knows which split each thing is fitted on; what a score means is `models.inference.anomaly`'s.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from models.bundle.folder import Arrays
from models.bundle.manifest import Anomaly, AnomalyPart
from models.data.dataset import LabelledImages
from models.inference.anomaly import anomaly_score, scaled
from models.inference.reader import Images, in_batches
from models.networks.weights import arrays_of
from models.training import objectives as networks
from models.training.checkpoints import Work
from models.training.export import exported
from models.training.recipe import AnomalyRecipe
from models.training.stages import Splits, Tell, named


@dataclass(frozen=True, slots=True)
class FittedAnomaly:
    """The fitted parts of an anomaly score and its scale on held-out normals."""

    arrays: dict[str, Arrays]  #: by network, for retraining
    networks: dict[str, bytes]  #: by network, as LiteRT runs it
    anomaly: Anomaly
    log: tuple[dict[str, Any], ...]


def anomaly(plan: AnomalyRecipe, images: Splits, seed: int, work: Work, tell: Tell) -> FittedAnomaly:
    """Fit the restoring autoencoder on normals; its scale comes from normals that it has not seen."""
    schedule = plan.restoring
    train, held_out = (_normals(images[split], schedule.size) for split in ("train", "val"))
    shelf, told = work.shelf("autoencoder"), partial(tell, "autoencoder")
    model, log = networks.fitted_autoencoder(train, schedule, seed, shelf, told)
    scores = in_batches(lambda some: anomaly_score(np.asarray(model(some, training=False)["mask"])), held_out)
    part = AnomalyPart("restoring", "autoencoder.tflite", schedule.size, 0.0, 1.0, schedule.width)
    return FittedAnomaly(
        {"autoencoder": arrays_of(model)},
        {"autoencoder": exported(model)},
        scaled((part,), (scores,)),
        named("autoencoder", seed, log),
    )


def _normals(images: LabelledImages, size: int) -> Images:
    return np.asarray(images.views(size)[images.labels == 0], np.float32)
