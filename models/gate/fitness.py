"""What must not be trained on at all: the gate's first look, before a minute is spent, counted apart from the rest.

One class only, too few patients, patients or pictures that stand on two sides, a locked one among them, much less than
the champion had learned from, and labels that contradict the champion far more than those of the same site's locked set
do. It knows labelled images and what a champion says of them, and trains nothing.

References
----------
Kapoor S, Narayanan A, "Leakage and the reproducibility crisis in machine-learning-based science", Patterns 4(9), 2023
(duplicates and groups across a split).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from models.data.joint import hashes_of
from models.data.labelled import DataError, LabelledImages, counted
from models.data.trainable import refuse_untrainable
from models.images.likeness import NOTHING, any_alike

LEAST_SHARE = 0.8
"""Share of what the champion had learned from below which a training set has lost something."""

CONTRADICTED = 0.1
"""How much more often labels may contradict the champion than those of the locked set do, with confidence."""

CONFIDENCE = 0.99
"""One-sided, of that difference."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why something is not trained on."""

    rule: str  #: untrainable, patients, pictures, shrunk or contradicted
    text: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often labels are what a champion calls, among patients."""

    agreeing: int
    patients: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.agreeing / self.patients


def unfit(
    images: Mapping[str, LabelledImages], locked: Mapping[str, LabelledImages], names: tuple[str, ...]
) -> list[Unfit]:
    """Return why a training must not begin; nothing where it may.

    Parameters
    ----------
    images
        What is to be trained on and chosen by, as train and val.
    locked
        The locked sets by name.
    names
        What each label stands for, by its index.
    """
    found = []
    try:
        refuse_untrainable(images, names)
    except DataError as error:
        found.append(Unfit("untrainable", str(error)))
    sides = {**images, **{f"locked set {name}": some for name, some in locked.items()}}
    return [*found, *_torn_patients(sides), *_torn_pictures(sides)]


def shrunk(learned: int, before: int) -> Unfit | None:
    """Return whether a training set has lost much of what the champion learned from, in images of the same origin."""
    if learned >= LEAST_SHARE * before:
        return None
    return Unfit(
        "shrunk",
        f"{counted(learned, 'image')} to learn from where the champion had {before}: at least {LEAST_SHARE:.0%} are "
        "needed, or something was lost",
    )


def agreement(images: LabelledImages, called: NDArray[np.bool_]) -> Agreement:
    """Return of how many patients every label is what the champion calls.

    Parameters
    ----------
    images
        Labels 0 and 1.
    called
        Shape (images,): where the champion calls the class present.
    """
    right = (images.labels == 1) == called
    wrong = {group for group, good in zip(images.groups, right, strict=True) if not good}
    everybody = set(images.groups)
    return Agreement(len(everybody) - len(wrong), len(everybody))


def contradicted(new: Agreement, locked: Agreement) -> Unfit | None:
    """Return whether new labels contradict the champion far more often than those of the same site's locked set."""
    if not new.patients or not locked.patients:
        return None
    error = np.sqrt(sum(one.share * (1.0 - one.share) / one.patients for one in (new, locked)))
    least = locked.share - new.share - NormalDist().inv_cdf(CONFIDENCE) * float(error)
    if least <= CONTRADICTED:
        return None
    return Unfit(
        "contradicted",
        f"the champion calls what the labels say for {new.share:.1%} of {new.patients} new patients, and for "
        f"{locked.share:.1%} of {locked.patients} of the locked set: the new labels mean something else",
    )


def _torn_patients(sides: Mapping[str, LabelledImages]) -> Iterator[Unfit]:
    for one, other in _pairs(tuple(sides)):
        both = set(sides[one].groups) & set(sides[other].groups)
        if both:
            yield Unfit("patients", f"{counted(len(both), 'patient')} on two sides: {one} and {other}")


def _torn_pictures(sides: Mapping[str, LabelledImages]) -> Iterator[Unfit]:
    """Yield where pictures of one side show what one of another shows, though no byte of them be the same."""
    hashes = {name: hashes_of(some) for name, some in sides.items()}
    for one, other in _pairs(tuple(sides)):
        known = [int(found, 16) for found in set(hashes[other]) if found != NOTHING]
        twice = sum(any_alike(found, known) for found in hashes[one])
        if twice:
            yield Unfit("pictures", f"{counted(twice, 'picture')} on two sides: {one} and {other}")


def _pairs(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield every pair of sides; two locked sets may overlap."""
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            if not one.startswith("locked set "):
                yield one, other
