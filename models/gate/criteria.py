"""What is asked of a challenger on one locked set, of one class: the criteria of a protocol, each with its figures.

It knows labels, patients and probabilities. What follows from the answers is `models.gate.judge`'s.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation import metrics
from models.evaluation.bootstrap import Weights
from models.gate import delong
from models.gate.asked import Bound, Place, criterion, noted
from models.gate.gate_values import LockedSet, Probabilities
from models.gate.paired import Difference, Figure, Values, differing
from models.gate.protocol import Protocol
from models.gate.verdict import Criterion, State

MOST_VALUES = 12
"""Values of a column above which it names images rather than kinds of them."""

Chosen = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pair:
    """One class on one locked set, as champion and challenger see it."""

    locked: LockedSet
    class_name: str
    probabilities: tuple[Probabilities, Probabilities]  #: the champion's, the challenger's
    thresholds: tuple[float, float]
    protocol: Protocol

    @property
    def present(self) -> Chosen:
        """Whether the class is there, shape (images,)."""
        return self.locked.present[self.class_name]

    def patients(self, some: Chosen) -> tuple[int, int, int]:
        """Return how many patients some images are of, and of how many one shows the class, or does not."""
        patients = np.asarray(self.locked.patients)
        kinds = some, some & self.present, some & ~self.present
        return tuple(len(set(patients[kind].tolist())) for kind in kinds)  # type: ignore[return-value]

    @property
    def large(self) -> bool:
        """Whether there are patients enough to judge by."""
        least = self.protocol.min_patients, self.protocol.min_positives, self.protocol.min_negatives
        return all(found >= needed for found, needed in zip(self.patients(self.everything), least, strict=True))

    @property
    def everything(self) -> Chosen:
        """All images."""
        return np.ones(len(self.locked.patients), bool)


def criteria(pair: Pair) -> Iterator[Criterion]:
    """Yield every criterion of a class on a set: numbers, AUC in two ways, operating point, calibration, subgroups."""
    place, protocol = Place(pair.locked, pair.class_name, pair.large), pair.protocol
    yield numbers(pair)
    drawn = _area(pair, pair.everything)
    yield criterion(place, Bound("AUC (DeLong)", protocol.auc_margin, of_lower=True), _delong(pair))
    yield criterion(place, Bound("AUC (patients drawn)", protocol.auc_margin, of_lower=True), drawn)
    if pair.locked.target:
        yield criterion(place, Bound("AUC of the target", protocol.target_margin, inclusive=True), drawn)
    yield criterion(place, Bound("sensitivity", protocol.sensitivity_margin), _rate(pair, "sensitivity"))
    # threshold and calibration are fitted to those whom the version is made for: of others they say how far these lie
    where_fitted = criterion if pair.locked.target else noted
    yield where_fitted(place, Bound("specificity", protocol.specificity_margin), _rate(pair, "specificity"))
    yield where_fitted(place, Bound("calibration error", protocol.ece_margin, larger_is_worse=True), _ece(pair))
    yield from _subgroups(pair)


def numbers(pair: Pair) -> Criterion:
    """Return whether there are patients enough."""
    protocol, (patients, positives, negatives) = pair.protocol, pair.patients(pair.everything)
    text = (
        f"numbers on {pair.locked.name} ({pair.class_name}): {patients} patients, {positives} with it, {negatives} "
        f"without; at least {protocol.min_patients}, {protocol.min_positives} and {protocol.min_negatives} are needed"
    )
    state = State.MET if pair.large else State.OPEN
    nothing = (None,) * 5
    where = (pair.locked.name, pair.class_name, "")
    return Criterion("numbers", *where, *nothing, float(patients), float(protocol.min_patients), state, text)


def admission(locked: LockedSet, admitted: tuple[Chosen, Chosen], protocol: Protocol) -> Criterion:
    """Return whether the challenger lets in as many images of a set as the champion does."""

    def share(number: int, weights: Weights) -> Values:
        return np.asarray(weights @ admitted[number].astype(np.float64) / weights.sum(1))

    large = len(set(locked.patients)) >= protocol.min_patients
    found = differing(share, locked.patients, protocol)
    return criterion(Place(locked, "", large), Bound("share admitted", protocol.admitted_margin), found)


def _delong(pair: Pair) -> Difference:
    present = pair.present
    if min(present.sum(), (~present).sum()) < 2:
        return Difference(None, None)
    areas = delong.paired(present, *pair.probabilities)
    return Difference(areas.first, areas.second, *areas.interval(pair.protocol.confidence))


def _area(pair: Pair, some: Chosen) -> Difference:
    labels, scores = pair.present[some].astype(np.int64), [values[some] for values in pair.probabilities]
    patients = np.asarray(pair.locked.patients)[some].tolist()
    return differing(
        lambda which, weights: metrics.weighted_auc(labels, scores[which], weights), patients, pair.protocol
    )


def _rate(pair: Pair, name: str) -> Difference:
    labels = pair.present.astype(np.int64)
    found = [values >= limit for values, limit in zip(pair.probabilities, pair.thresholds, strict=True)]

    def rate(which: int, weights: Weights) -> Values:
        return metrics.rates(**metrics.counts(labels, found[which], weights))[name]

    return differing(rate, pair.locked.patients, pair.protocol)


def _ece(pair: Pair) -> Difference:
    labels = pair.present.astype(np.int64)
    error: Figure = lambda which, weights: metrics.weighted_ece(labels, pair.probabilities[which], weights)  # noqa: E731
    return differing(error, pair.locked.patients, pair.protocol)


def _subgroups(pair: Pair) -> Iterator[Criterion]:
    """Yield a criterion for each value of each column; labels of one kind are held against all of the other kind."""
    least, bound = pair.protocol.subgroup_min, Bound("AUC of a subgroup", pair.protocol.subgroup_margin, of_lower=True)
    for name, column in pair.locked.attributes.items():
        values = sorted(set(column))
        for value in values if 1 < len(values) <= MOST_VALUES else []:
            some = _with_others(pair.present, np.asarray(column) == value)
            if min(pair.patients(some)[1:]) >= least:
                place = Place(pair.locked, pair.class_name, pair.large, f"{name}={value}")
                yield criterion(place, bound, _area(pair, some))


def _with_others(present: Chosen, some: Chosen) -> Chosen:
    there = present[some]
    return some if there.any() and not there.all() else some | (present != there[0])
