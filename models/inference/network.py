"""What every exported network is, whatever runs it, and batches. It knows no bundle, nor what outputs mean."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 64
"""Images in one call of a network; bounds memory, not accuracy."""

Outputs = dict[str, NDArray[np.float32]]
"""What a network says, by output; each of shape (images, ...)."""

Images = NDArray[np.float32]
"""Network input, shape (images, size, size, 1), float32 in [0, 1]."""


class NetworkError(ValueError):
    """A file that cannot be run as a network; the message says why."""


class Network(Protocol):
    """A loaded network: images in, outputs by name out; one caller at a time."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""

    def __call__(self, images: Images) -> Outputs:
        """Return every output for images of shape (images, ...)."""


def in_batches(compute: Callable[[Images], Any], images: Images, at_once: int = AT_ONCE) -> NDArray[Any]:
    """Return what `compute` gives for all images, a bounded number at a time."""
    parts = [np.asarray(compute(images[first : first + at_once])) for first in range(0, len(images), at_once)]
    return np.concatenate(parts)


def outputs_in_batches(network: Network, images: Images, at_once: int = AT_ONCE) -> Outputs:
    """Return every output of a network for all images, a bounded number at a time.

    Raises
    ------
    NetworkError
        Where the network cannot take the images, or an output has no axis for them.
    """
    parts = [network(images[first : first + at_once]) for first in range(0, len(images), at_once)]
    for name, found in parts[0].items():
        if not np.ndim(found):
            raise NetworkError(f"output {name!r} is a single number, where an axis for images comes first")
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
