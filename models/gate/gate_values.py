"""What the gate is handed: locked sets, and what two versions said of their images.

It knows no image, no bundle and no folder: `models.gate.asking` makes these values from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float64]
"""Of presence of one class, shape (images,), 0 to 1."""


class GateError(ValueError):
    """What cannot be judged at all; the message names what and why."""


@dataclass(frozen=True, slots=True)
class LockedSet:
    """Images that nobody trains on, with what is known of them."""

    name: str
    version: str
    digest: str  #: SHA-256 of its images and labels, hexadecimal
    present: Mapping[str, NDArray[np.bool_]]  #: by class, shape (images,): whether it is there
    patients: tuple[str, ...]  #: of each image, opaque
    target: bool = False  #: whether it is of those whom the challenger is made for: there it must not be worse
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  #: columns to tell subgroups by
    uses: int = 0  #: how often it has been looked at before

    def __post_init__(self) -> None:
        lengths = {len(self.patients), *map(len, self.present.values()), *map(len, self.attributes.values())}
        if len(lengths) != 1:
            raise GateError(f"the columns of the locked set {self.name} have different lengths: {sorted(lengths)}")


@dataclass(frozen=True, slots=True)
class Said:
    """What one version says of the images of one locked set."""

    probabilities: Mapping[str, Probabilities]  #: by class
    admitted: NDArray[np.bool_] | None = None  #: shape (images,); None where the version admits everything


@dataclass(frozen=True, slots=True)
class Answers:
    """One version of a model, and what it says of every locked set."""

    name: str
    version: str
    device_uid: str
    thresholds: Mapping[str, float]  #: by class: the probability from which it is called, 0 to 1
    said: Mapping[str, Said]  #: by name of the locked set

    def of(self, locked: LockedSet) -> Said:
        """Return what is said of one set.

        Raises
        ------
        GateError
            Where nothing is, of other numbers of images, or what is said is no probability.
        """
        if locked.name not in self.said:
            raise GateError(f"{self.version} was not asked about the locked set {locked.name}")
        said = self.said[locked.name]
        for name, values in said.probabilities.items():
            if values.shape != (len(locked.patients),):
                raise GateError(f"{self.version} says {values.shape} of {len(locked.patients)} images of {locked.name}")
            if not ((values >= 0.0) & (values <= 1.0)).all():
                raise GateError(f"{self.version} says of {name} in {locked.name} what is not from 0 to 1")
        return said
