"""Reading images with a bundle: values in, probabilities and an anomaly score out.

It joins the bundle's arrays with the architectures in code. TensorFlow is imported when a bundle is loaded and not
before, scikit-learn never. It knows no dataset; whoever calls it hands in pixel values.
"""

import os
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from models.bundle.folder import Bundle, BundleError, open_bundle
from models.bundle.manifest import AnomalyNormals, Manifest
from models.images.features import feature_count
from models.images.preprocess import Image, Values, network_input
from models.inference.admission import FeatureAutoencoder, admission_score
from models.inference.anomaly import anomaly_score
from models.training.threads import limit_threads

Images = NDArray[np.float32]
"""Network input, shape (images, size, size, 1), float32 in [0, 1]."""

AT_ONCE = 64
"""Images in one call of a network; bounds memory, not accuracy."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the bundle says of one image."""

    admitted: bool
    admission_score: float  #: how unlike the known images; up to `admission_limit` is admitted
    admission_limit: float
    probabilities: dict[str, float]  #: probability of presence by class name; empty when not admitted
    anomaly_z: float  #: standard deviations above the mean of held-out normals; 0 when not admitted
    anomaly_percentile: float  #: share of those normals with a lower score, 0 to 100; 0 when not admitted


class Reader:
    """A loaded bundle.

    Parameters
    ----------
    bundle
        What was opened; its digests have been compared.
    classify
        Images of the classifier's size to logits (images, classes).
    suspect
        Images of the autoencoder's size to anomaly scores (images,).
    feature_autoencoder
        What decides admission.
    """

    def __init__(
        self,
        bundle: Bundle,
        classify: Callable[[Images], NDArray[np.float32]],
        suspect: Callable[[Images], NDArray[np.float64]],
        feature_autoencoder: FeatureAutoencoder,
    ) -> None:
        self._bundle = bundle
        self._classify = classify
        self._suspect = suspect
        self._feature_autoencoder = feature_autoencoder

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        return self._bundle.manifest

    def read(self, values: Values, window: tuple[float, float] | None = None, inverted: bool = False) -> Prediction:  # noqa: FBT001, FBT002 the order of network_input
        """Return what the bundle says of one image.

        Parameters
        ----------
        values
            Modality values, shape (rows, columns), any size and unit.
        window
            (0028,1050) Window Center and (0028,1051) Window Width, or None.
        inverted
            Whether low values are shown bright (MONOCHROME1).

        Raises
        ------
        ValueError
            Where `values` is not a filled two-dimensional array of finite numbers.
        """
        see = cache(partial(network_input, values, window, inverted))
        score, limit = self.admission_score(see(self.manifest.preprocessing.admission)), self.manifest.admission.limit
        if not score <= limit:
            return Prediction(False, score, limit, {}, 0.0, 0.0)
        probabilities = self.probabilities(see(self.manifest.preprocessing.classifier)[np.newaxis])[0]
        anomaly = float(self._suspect(see(self.manifest.preprocessing.autoencoder)[np.newaxis])[0])
        named = {known.name: float(share) for known, share in zip(self.manifest.classes, probabilities, strict=True)}
        return Prediction(True, score, limit, named, *placed(anomaly, self.manifest.anomaly))

    def admission_score(self, image: Image) -> float:
        """Return the admission score of one image of shape (size, size, 1), float32 in [0, 1]."""
        return admission_score(self._feature_autoencoder, image)

    def probabilities(self, images: Images) -> NDArray[np.float64]:
        """Return the probability of presence of each class.

        Input shape
            (images, size, size, 1), float32 in [0, 1].

        Output shape
            (images, classes), float64 in [0, 1].
        """
        return sigmoid(self._classify(images))

    def anomaly_scores(self, images: Images) -> NDArray[np.float64]:
        """Return the raw anomaly scores of images, shape (images,)."""
        return self._suspect(images)


def load(path: Path | str, *, threads: int = 1) -> Reader:
    """Return a reader for the bundle in a folder.

    Parameters
    ----------
    path
        The bundle's folder.
    threads
        Threads of TensorFlow; without effect where it has computed something before.

    Raises
    ------
    BundleError
        Where the bundle is not what its manifest says, or its weights do not fit the architectures in code.
    """
    bundle = open_bundle(path)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    limit_threads(threads)
    return assembled(bundle)


def assembled(bundle: Bundle) -> Reader:
    """Return a reader for an opened bundle.

    Raises
    ------
    BundleError
        Where the weights do not fit the architectures in code.
    """
    from models.networks.compact_resnet import compact_resnet  # noqa: PLC0415 the same
    from models.networks.restoring_autoencoder import restoring_autoencoder  # noqa: PLC0415 TensorFlow only when needed
    from models.training.weights import assign  # noqa: PLC0415 the same

    manifest = bundle.manifest
    classifier = compact_resnet(manifest.preprocessing.classifier, len(manifest.classes))
    autoencoder = restoring_autoencoder(manifest.preprocessing.autoencoder, manifest.anomaly.width)
    assign(classifier, bundle.arrays["classifier"])
    assign(autoencoder, bundle.arrays["autoencoder"])
    classify, restore = _compiled(classifier), _compiled(autoencoder)
    return Reader(
        bundle,
        lambda images: in_batches(classify, images),
        lambda images: in_batches(lambda some: anomaly_score(np.asarray(restore(some)["mask"])), images),
        _feature_autoencoder(bundle),
    )


def placed(score: float, normals: AnomalyNormals) -> tuple[float, float]:
    """Return z-score and percentile (0 to 100) of an anomaly score among the held-out normals."""
    percentile = float(np.interp(score, normals.quantiles, np.arange(101.0)))
    if score < normals.quantiles[0] or bisect_left(normals.quantiles, score) == 0:
        percentile = 0.0
    return (score - normals.mean) / normals.deviation, percentile


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the probability that each logit stands for."""
    return 1.0 / (1.0 + np.exp(-np.asarray(logits, np.float64)))


def in_batches(compute: Callable[[Images], Any], images: Images) -> NDArray[Any]:
    """Return what `compute` gives for all images, a bounded number at a time."""
    parts = [np.asarray(compute(images[first : first + AT_ONCE])) for first in range(0, len(images), AT_ONCE)]
    return np.concatenate(parts)


def _compiled(model: Any) -> Callable[[Images], Any]:
    """Return the model as one traced function: Keras' `predict` costs seven times as much for a single image."""
    import tensorflow as tf  # noqa: PLC0415 TensorFlow only when needed

    signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    traced = tf.function(lambda images: model(images, training=False), input_signature=[signature])
    return cast("Callable[[Images], Any]", traced)


def _feature_autoencoder(bundle: Bundle) -> FeatureAutoencoder:
    try:
        known = FeatureAutoencoder(**bundle.arrays["admission"])
    except TypeError as error:
        raise BundleError(f"the admission weights have other variables than the code: {error}") from error
    count, directions = feature_count(), len(known.components)
    needed = [(count,), (count,), (directions, count), (directions,), (1,)]
    if [array.shape for array in known.arrays().values()] != needed:
        raise BundleError("the admission weights have other shapes than the code's features")
    return known
