"""The parts of a bundle's anomaly score, loaded: views in, fused scores and error maps out.

What the scores mean and how they are put together is `models.inference.anomaly`'s.
"""

from collections.abc import Callable
from functools import partial
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from models.bundle.folder import Bundle
from models.bundle.manifest import Anomaly, AnomalyPart
from models.inference import anomaly
from models.inference.admission import described, feature_autoencoder
from models.inference.network import Images, Network, NetworkError, in_batches, load_network, outputs_in_batches

OUTPUTS = {"restoring": ("restored", "mask"), "one_class": ("logits",)}
"""Outputs that the network of each kind of part must have."""


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
        self._networks = {
            part.kind: _loaded(part, bundle.networks[part.file], threads)
            for part in known.parts
            if part.kind in OUTPUTS
        }
        self._scores = tuple(self._score(part, bundle) for part in known.parts)

    def raw(self, views: Callable[[int], Images]) -> tuple[anomaly.Scores, ...]:
        """Return what each part says of the images, in the manifest's order, each of shape (images,)."""
        return tuple(score(views(part.size)) for score, part in zip(self._scores, self._known.parts, strict=True))

    def scores(self, views: Callable[[int], Images]) -> anomaly.Scores:
        """Return the fused scores of the images, shape (images,)."""
        return anomaly.fused(self.raw(views), self._known.parts)

    def error_maps(self, views: Callable[[int], Images]) -> NDArray[np.float32] | None:
        """Return how unexpected each place is, shape (images, size, size); None without a restoring part."""
        for part in self._known.parts:
            if part.kind == "restoring":
                images = views(part.size)
                return anomaly.error_map(images, outputs_in_batches(self._networks[part.kind], images))
        return None

    def _score(self, part: AnomalyPart, bundle: Bundle) -> Callable[[Images], anomaly.Scores]:
        if part.kind == "features":
            known = feature_autoencoder(bundle.arrays[PurePath(part.file).stem], "anomaly feature")
            return lambda images: known.score(described(images))
        network = self._networks[part.kind]
        if part.kind == "one_class":
            return partial(in_batches, lambda images: network(images)["logits"].reshape(len(images)).astype(np.float64))
        return partial(in_batches, lambda images: anomaly.anomaly_score(network(images)["mask"]))


def _loaded(part: AnomalyPart, content: bytes, threads: int) -> Network:
    network = load_network(part.file, content, threads)
    if missing := sorted(set(OUTPUTS[part.kind]) - set(network.outputs)):
        raise NetworkError(f"{part.file} has no output {missing[0]!r}; it has {', '.join(network.outputs)}")
    return network
