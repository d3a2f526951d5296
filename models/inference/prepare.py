"""From pixel values to what a bundle's networks take, and whether an image is admitted to them; no network is run.

Several threads may prepare images while the networks run, and a process that only prepares loads no network.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.bundle.folder import Bundle, open_bundle
from models.bundle.signature import verified
from models.images.preprocess import Image, Values, network_inputs
from models.inference.admission import BLANK, FeatureAutoencoder, Vectors, described, feature_autoencoder, scored


@dataclass(frozen=True, slots=True)
class Seen:
    """One image as a bundle's networks take it, and whether it is admitted to them."""

    views: Mapping[int, Image]  #: shape (size, size, 1), float32 in [0, 1], by size
    admission_score: float | None  #: None where the bundle has no admission
    admitted: bool
    vectors: Mapping[int, Vectors] = field(default_factory=dict)  #: features, shape (features,), by size
    rows: int = 0  #: of the image as it came, in pixels
    columns: int = 0
    place: Vectors | None = field(default=None, compare=False, repr=False)
    """Where it lies among known images, shape (components + 1,); None where the bundle has no admission."""


class Preparer:
    """What a bundle asks of an image before its networks run.

    Parameters
    ----------
    bundle
        What was opened; its digests have been compared.

    Raises
    ------
    BundleError
        Where the weights of its admission are not those of this version's features.
    """

    def __init__(self, bundle: Bundle) -> None:
        manifest = bundle.manifest
        self.admission = manifest.admission
        self.known: FeatureAutoencoder | None = (
            feature_autoencoder(bundle.arrays["admission"], "admission") if manifest.admission else None
        )
        admission = {manifest.admission.size} if manifest.admission else set()
        parts = manifest.anomaly.parts if manifest.anomaly else ()
        self._described = admission | {part.size for part in parts if part.kind == "features"}
        self._sizes = {manifest.classifier.size} | admission | {part.size for part in parts}

    def prepare(self, values: Values, window: tuple[float, float] | None = None, inverted: bool = False) -> Seen:  # noqa: FBT001, FBT002 the order of network_input
        """Return one image as the networks take it, and whether it is admitted.

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
        views = network_inputs(values, window, inverted, self._sizes)
        rows, columns = values.shape
        vectors = {size: described(views[size][np.newaxis])[0] for size in self._described}
        if self.admission is None or self.known is None:
            return Seen(views, None, admitted=True, vectors=vectors, rows=rows, columns=columns)
        size = self.admission.size
        places = self.known.placed(vectors[size][np.newaxis])
        score = float(scored(places)[0]) if views[size].any() else BLANK
        return Seen(views, score, score <= self.admission.limit, vectors, rows, columns, places[0])


def load_preparer(path: Path, public_key: Path | None = None) -> Preparer:
    """Return what prepares images for the bundle in a folder; its networks are not loaded.

    Parameters
    ----------
    path
        The bundle's folder.
    public_key
        PEM file with the Ed25519 key whose signature the bundle must carry; None asks for no signature.

    Raises
    ------
    BundleError
        Where the bundle is not what its manifest says, or is not signed with that key.
    """
    return Preparer(open_bundle(path, None if public_key is None else verified(path, public_key)))
