"""The parts of a bundle's anomaly score, loaded: views in, fused scores and error maps out.

What the scores mean and how they are put together is `models.inference.anomaly`'s.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from models.bundle.folder import Bundle
from models.bundle.manifest import Anomaly, AnomalyPart
from models.inference import anomaly
from models.inference.admission import Vectors, described, feature_autoencoder
from models.inference.network import Images, Network, NetworkError, Outputs, outputs_in_batches
from models.inference.runtimes import load_network

NEEDED = {"restoring": "mask", "residual": "restored", "one_class": "mask"}
"""The output that the network of each kind of part must have."""


class Suspect:
    """The loaded parts of an anomaly score.

    Parameters
    ----------
    known
        The parts, and the scale of their fusion.
    bundle
        Where their files are.
    threads
        Threads of each network.

    Raises
    ------
    NetworkError
        Where a file cannot be run or has other outputs than its kind needs.
    """

    def __init__(self, known: Anomaly, bundle: Bundle, threads: int) -> None:
        self._known = known
        self._networks = _loaded(known.parts, bundle, threads)
        self._features = {
            part.file: feature_autoencoder(bundle.arrays[PurePath(part.file).stem], "anomaly feature")
            for part in known.parts
            if part.kind == "features"
        }

    @property
    def described_sizes(self) -> set[int]:
        """The sizes of image of which the parts take features."""
        return {part.size for part in self._known.parts if part.kind == "features"}

    def raw(
        self, views: Callable[[int], Images], vectors: Mapping[int, Vectors] | None = None
    ) -> tuple[anomaly.Scores, ...]:
        """Return what each part says of the images, in the manifest's order, each of shape (images,).

        Parameters
        ----------
        views
            Gives the images as network input for a size.
        vectors
            Their features by size, shape (images, features), where they are known already.
        """
        seen = self._seen(views)
        return self._raw(seen, self._said(seen), vectors)

    def scores(self, views: Callable[[int], Images], vectors: Mapping[int, Vectors] | None = None) -> anomaly.Scores:
        """Return the fused scores of the images, shape (images,); the parameters are those of `raw`."""
        return anomaly.fused(self.raw(views, vectors), self._known.parts)

    def error_maps(self, views: Callable[[int], Images]) -> NDArray[np.float32] | None:
        """Return how suspicious each place is, shape (images, size, size), by all masks; None where there is none."""
        masked = self._masked
        said = {part.file: outputs_in_batches(self._networks[part.file], views(part.size)) for part in masked}
        return self._error_maps(said)

    def judged(
        self, views: Callable[[int], Images], vectors: Mapping[int, Vectors] | None = None
    ) -> tuple[anomaly.Scores, NDArray[np.float32] | None]:
        """Return what `scores` and `error_maps` return, of one run of the networks."""
        seen = self._seen(views)
        said = self._said(seen)
        return anomaly.fused(self._raw(seen, said, vectors), self._known.parts), self._error_maps(said)

    @property
    def _masked(self) -> list[AnomalyPart]:
        return [part for part in self._known.parts if NEEDED.get(part.kind) == "mask"]

    def _seen(self, views: Callable[[int], Images]) -> dict[int, Images]:
        return {part.size: views(part.size) for part in self._known.parts}

    def _said(self, seen: Mapping[int, Images]) -> dict[str, Outputs]:
        taken = {part.file: seen[part.size] for part in self._known.parts if part.kind in NEEDED}
        return {file: outputs_in_batches(self._networks[file], images) for file, images in taken.items()}

    def _raw(
        self, seen: Mapping[int, Images], said: Mapping[str, Outputs], vectors: Mapping[int, Vectors] | None
    ) -> tuple[anomaly.Scores, ...]:
        known = vectors if vectors is not None else {size: described(seen[size]) for size in self.described_sizes}
        return tuple(
            self._features[part.file].score(known[part.size])
            if part.kind == "features"
            else _score(part, seen[part.size], said[part.file])
            for part in self._known.parts
        )

    def _error_maps(self, said: Mapping[str, Outputs]) -> NDArray[np.float32] | None:
        parts = self._masked
        masks = [said[part.file]["mask"] for part in parts]
        return anomaly.error_map(masks, max(part.size for part in parts)) if parts else None


def _score(part: AnomalyPart, images: Images, said: Outputs) -> anomaly.Scores:
    return (
        anomaly.residual_score(images, said["restored"])
        if part.kind == "residual"
        else anomaly.mask_score(said["mask"])
    )


def _loaded(parts: Sequence[AnomalyPart], bundle: Bundle, threads: int) -> dict[str, Network]:
    """Return the networks by file; one that makes two scores is loaded, and run, once."""
    networks: dict[str, Network] = {}
    for part in parts:
        if part.kind not in NEEDED:
            continue
        if part.file not in networks:
            networks[part.file] = load_network(part.file, bundle.networks[part.file], threads)
        outputs = networks[part.file].outputs
        if NEEDED[part.kind] not in outputs:
            raise NetworkError(f"{part.file} has no output {NEEDED[part.kind]!r}; it has {', '.join(outputs)}")
    return networks
