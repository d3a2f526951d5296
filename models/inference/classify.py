"""The classifier of a bundle: network input in; logits, probabilities and maps out, as the manifest describes it.

Our own classifiers and imported ones go the same way; what differs is written in the manifest.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.bundle.manifest import Calibration, Classifier
from models.inference.network import Images, Network, NetworkError, Outputs, outputs_in_batches
from models.inference.runtimes import load_network

SURE = 1e-7
"""Probabilities are taken to lie this far from 0 and 1, so that they have log odds."""


class Classify:
    """A loaded classifier.

    Parameters
    ----------
    known
        What the manifest says of its file, input and outputs.
    calibration
        What its logits become.
    classes
        How many there are.
    networks
        Contents by file name.
    threads
        Threads of the network.

    Raises
    ------
    NetworkError
        Where the file cannot be run, or its input or outputs are not what the manifest says; tried on a blank image.
    """

    def __init__(
        self,
        known: Classifier,
        calibration: Calibration,
        classes: int,
        networks: Mapping[str, bytes],
        threads: int,
    ) -> None:
        self._known, self._calibration = known, calibration
        self._network = load_network(known.file, networks[known.file], threads)
        self._output = _chosen_output(known, self._network)
        _refuse_unfit(known, classes, self._run(np.zeros((1, known.size, known.size, 1), np.float32)), self._output)

    def logits(self, images: Images) -> NDArray[np.float64]:
        """Return what the network says of each class, shape (images, classes); of probabilities, their log odds."""
        return self._logits(self._run(images))

    def probabilities(self, images: Images) -> NDArray[np.float64]:
        """Return the calibrated probability of presence of each class, shape (images, classes)."""
        return self._calibrated(self.logits(images))

    def maps(self, images: Images) -> NDArray[np.float32] | None:
        """Return what each place contributes to each logit, shape (images, h, w, classes), or None."""
        return self._maps(self._run(images)) if self._known.map else None

    def told(self, images: Images) -> tuple[NDArray[np.float64], NDArray[np.float32] | None]:
        """Return what `probabilities` and `maps` return, of one run of the network."""
        outputs = self._run(images)
        return self._calibrated(self._logits(outputs)), self._maps(outputs)

    def _calibrated(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = logits * self._calibration.slope
        if self._known.activation == "softmax" and not self._known.places:
            return softmax(scaled)
        return sigmoid(scaled + self._calibration.intercept)

    def _maps(self, outputs: Outputs) -> NDArray[np.float32] | None:
        if not self._known.map:
            return None
        maps = outputs[self._known.map]
        if not self._known.places:
            return maps
        exclusive = self._known.activation == "softmax"
        against = maps - maps.mean(-1, keepdims=True, dtype=np.float32) if exclusive else maps
        return against[..., self._known.places]

    def _logits(self, outputs: Outputs) -> NDArray[np.float64]:
        found = np.asarray(outputs[self._output], np.float64)
        flat = found.reshape(len(found), -1)
        if self._known.activation == "none":
            likely = np.clip(flat, SURE, 1.0 - SURE)
            flat = np.asarray(np.log(likely / (1.0 - likely)), np.float64)
        elif self._known.activation == "softmax" and self._known.places:
            flat = log_odds(flat)
        return flat[:, self._known.places] if self._known.places else flat

    def _run(self, images: Images) -> Outputs:
        return outputs_in_batches(self._network, prepared(images, self._known))


def prepared(images: Images, known: Classifier) -> Images:
    """Return network input as a classifier takes it: channels repeated, scaled, standardised, in its layout.

    Input shape
        (images, size, size, 1), float32 in [0, 1].

    Output shape
        (images, size, size, channels) or, NCHW, (images, channels, size, size), float32.
    """
    scaled = images if (known.low, known.high) == (0.0, 1.0) else images * (known.high - known.low) + known.low
    many = np.repeat(scaled, known.channels, axis=-1) if known.channels > 1 else scaled
    if known.mean:
        many = many - np.asarray(known.mean, np.float32)
    if known.deviation:
        many = many / np.asarray(known.deviation, np.float32)
    ordered = many.transpose(0, 3, 1, 2) if known.layout == "NCHW" else many
    return np.ascontiguousarray(ordered, np.float32)


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the probability that each logit stands for."""
    return 1.0 / (1.0 + np.exp(-np.asarray(logits, np.float64)))


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the probabilities of exclusive classes, shape (images, classes)."""
    exact = np.asarray(logits, np.float64)
    powers = np.exp(exact - exact.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True), np.float64)


def log_odds(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how each of several exclusive classes stands against all others together, shape (images, classes)."""
    exact = np.asarray(logits, np.float64)
    others = [np.logaddexp.reduce(np.delete(exact, place, axis=1), axis=1) for place in range(exact.shape[1])]
    return np.asarray(exact - np.stack(others, axis=1), np.float64)


def fits(numbers: int, classes: int, places: tuple[int, ...]) -> bool:
    """Return whether an output of so many numbers can hold the classes: just as many, or as far as the places reach."""
    return max(places) < numbers if places else numbers == classes


def _chosen_output(known: Classifier, network: Network) -> str:
    """Return the name of the output that is meant; an empty name means the only one."""
    for key, name in (("input", known.input), ("output", known.output), ("map", known.map)):
        there = network.inputs if key == "input" else network.outputs
        if name and name not in there:
            raise NetworkError(f"{known.file} has no {key} {name!r}; it has {', '.join(there)}")
    if known.output:
        return known.output
    if len(network.outputs) > 1:
        raise NetworkError(f"{known.file} has several outputs: name one of {', '.join(network.outputs)}")
    return network.outputs[0]


def _refuse_unfit(known: Classifier, classes: int, outputs: Outputs, output: str) -> None:
    found = outputs[output]
    if not fits(found.size, classes, known.places) or not np.isfinite(found).all():
        raise NetworkError(
            f"{known.file} gives {output!r} of shape {found.shape} for one image, where {classes} finite numbers, one "
            "for each class, are needed"
        )
    if known.map and (outputs[known.map].ndim != 4 or outputs[known.map].shape[-1] != found.size):
        shape = outputs[known.map].shape
        raise NetworkError(f"{known.file} gives the map {known.map!r} of shape {shape}, not (1, h, w, {found.size})")
