"""Reading images with a bundle: values in, probabilities, an anomaly score and maps out.

It runs the bundle's exported networks; neither TensorFlow nor scikit-learn is imported. It knows no dataset; whoever
calls it hands in pixel values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle.folder import Bundle, BundleError, open_bundle
from models.bundle.manifest import Manifest
from models.bundle.signature import verified
from models.images.preprocess import Image, Values
from models.inference.admission import admission_score
from models.inference.anomaly import placed
from models.inference.classify import Classify, sigmoid
from models.inference.network import Images, NetworkError, in_batches
from models.inference.prepare import Preparer, Seen
from models.inference.suspect import Suspect

__all__ = ["Images", "Prediction", "Reader", "Seen", "Views", "assembled", "in_batches", "load", "sigmoid"]

Views = Callable[[int], Images]
"""Gives the images as network input (images, size, size, 1) for a size."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the bundle says of one image."""

    admitted: bool
    admission_score: float | None  #: how unlike the known images; None where the bundle has no admission
    admission_limit: float | None  #: up to this score an image is admitted; None likewise
    probabilities: dict[str, float]  #: probability of presence by class name; empty when not admitted
    anomaly_z: float | None  #: standard deviations above the mean of held-out normals; None: not admitted, or no score
    anomaly_percentile: float | None  #: share of those normals with a lower score, 0 to 100; None likewise
    maps: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    """What each place contributes to each logit, shape (h, w, classes); None: not admitted, or no such output."""
    error_map: Image | None = field(default=None, compare=False, repr=False)
    """How unexpected each place is, shape (size, size), in [0, 1]; None: not admitted, or no part says so."""


class Reader:
    """A loaded bundle; its networks take one caller at a time.

    Parameters
    ----------
    bundle
        What was opened; its digests have been compared.
    classify
        Runs the classifier.
    suspect
        Runs the parts of the anomaly score; None where the bundle has none.
    preparer
        Makes the networks' input and decides admission.
    """

    def __init__(self, bundle: Bundle, classify: Classify, suspect: Suspect | None, preparer: Preparer) -> None:
        self._manifest, self._classify, self._suspect, self._preparer = bundle.manifest, classify, suspect, preparer

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        return self._manifest

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
        return self.predict([self.prepare(values, window, inverted)])[0]

    def prepare(self, values: Values, window: tuple[float, float] | None = None, inverted: bool = False) -> Seen:  # noqa: FBT001, FBT002 the order of network_input
        """Return one image as the networks take it, as `Preparer.prepare` does; several threads may call it at once."""
        return self._preparer.prepare(values, window, inverted)

    def predict(self, images: Sequence[Seen]) -> list[Prediction]:
        """Return what the bundle says of prepared images: those that are admitted go through each network together."""
        admitted = [image for image in images if image.admitted]
        found = iter(self._predicted(admitted) if admitted else ())
        return [next(found) if image.admitted else self._refused(image) for image in images]

    def admission_score(self, image: Image) -> float:
        """Return the admission score of one image of shape (size, size, 1), float32 in [0, 1].

        Raises
        ------
        BundleError
            Where the bundle has no admission.
        """
        if self._preparer.known is None:
            raise BundleError(f"the bundle {self.manifest.name} has no admission: it scores no image for that")
        return admission_score(self._preparer.known, image)

    def logits(self, images: Images) -> NDArray[np.float64]:
        """Return what the classifier says of each class before calibration.

        Input shape
            (images, size, size, 1), float32 in [0, 1].

        Output shape
            (images, classes), float64; of a model that gives probabilities, their log odds.
        """
        return self._classify.logits(images)

    def probabilities(self, images: Images) -> NDArray[np.float64]:
        """Return the probability of presence of each class.

        Input shape
            (images, size, size, 1), float32 in [0, 1].

        Output shape
            (images, classes), float64 in [0, 1].
        """
        return self._classify.probabilities(images)

    def maps(self, images: Images) -> NDArray[np.float32] | None:
        """Return what each place contributes to each logit; None where the classifier has no such output.

        Input shape
            (images, size, size, 1), float32 in [0, 1].

        Output shape
            (images, h, w, classes), float32; their mean over places is the logits.
        """
        return self._classify.maps(images)

    def anomaly_scores(self, views: Views) -> NDArray[np.float64] | None:
        """Return how unusual images are, in scores of no unit, shape (images,); None where the bundle has no score."""
        return None if self._suspect is None else self._suspect.scores(views)

    def error_maps(self, views: Views) -> NDArray[np.float32] | None:
        """Return how unexpected each place is, shape (images, size, size); None where no part of the bundle says so."""
        return None if self._suspect is None else self._suspect.error_maps(views)

    def _predicted(self, images: Sequence[Seen]) -> list[Prediction]:
        size = self.manifest.classifier.size
        probabilities, maps = self._classify.told(np.stack([image.views[size] for image in images]))
        places, errors = self._placed(images)
        of_each = zip(images, probabilities, places, _each(maps, images), _each(errors, images), strict=True)
        return [
            Prediction(True, image.admission_score, self._limit, self._named(shares), z, percentile, said_at, odd_at)
            for image, shares, (z, percentile), said_at, odd_at in of_each
        ]

    def _refused(self, image: Seen) -> Prediction:
        return Prediction(False, image.admission_score, self._limit, {}, None, None)

    @property
    def _limit(self) -> float | None:
        return self.manifest.admission.limit if self.manifest.admission else None

    def _named(self, probabilities: NDArray[np.float64]) -> dict[str, float]:
        return {known.name: float(share) for known, share in zip(self.manifest.classes, probabilities, strict=True)}

    def _placed(
        self, images: Sequence[Seen]
    ) -> tuple[Sequence[tuple[float, float] | tuple[None, None]], NDArray[np.float32] | None]:
        """Return the place of each image among the normals, and the error maps."""
        normals = self.manifest.anomaly
        if self._suspect is None or normals is None:
            return [(None, None)] * len(images), None
        vectors = {size: np.stack([image.vectors[size] for image in images]) for size in self._suspect.described_sizes}
        scores, maps = self._suspect.judged(lambda size: np.stack([image.views[size] for image in images]), vectors)
        return [placed(float(score), normals) for score in scores], maps


def _each(maps: NDArray[np.float32] | None, images: Sequence[Seen]) -> Sequence[NDArray[np.float32] | None]:
    return [None] * len(images) if maps is None else list(maps)


def load(path: Path | str, *, threads: int = 1, public_key: Path | None = None) -> Reader:
    """Return a reader for the bundle in a folder.

    Parameters
    ----------
    path
        The bundle's folder.
    threads
        Threads of each network.
    public_key
        PEM file with the Ed25519 key whose signature the bundle must carry; None asks for no signature.

    Raises
    ------
    BundleError
        Where the bundle is not what its manifest says, is not signed with that key, or cannot be run.
    """
    text = None if public_key is None else verified(Path(path), public_key)
    return assembled(open_bundle(path, text), threads)


def assembled(bundle: Bundle, threads: int = 1) -> Reader:
    """Return a reader for an opened bundle.

    Raises
    ------
    BundleError
        Where a file cannot be run, or gives something else than the manifest says.
    """
    manifest = bundle.manifest
    try:
        classify = Classify(manifest.classifier, manifest.calibration, len(manifest.classes), bundle.networks, threads)
        suspect = Suspect(manifest.anomaly, bundle, threads) if manifest.anomaly else None
    except NetworkError as error:
        raise BundleError(f"{bundle.path}: {error}") from error
    return Reader(bundle, classify, suspect, Preparer(bundle))
