"""One figure held against its bound, and the sentence that says how it ended. It knows differences, no images."""

from dataclasses import dataclass, replace
from operator import ge, gt

from models.gate.gate_values import LockedSet
from models.gate.paired import Difference
from models.gate.verdict import Criterion, State


@dataclass(frozen=True, slots=True)
class Place:
    """Where a criterion is asked."""

    locked: LockedSet
    class_name: str
    large: bool  #: whether there are patients enough; where not, only what is certainly worse counts
    part: str = ""  #: the subgroup as column=value

    @property
    def said(self) -> str:
        """The place in words."""
        part = f", {self.part}" if self.part else ""
        return f"{self.locked.name}{part}{f' ({self.class_name})' if self.class_name else ''}"


@dataclass(frozen=True, slots=True)
class Bound:
    """How much worse a figure may be, and which of its figures is held against that."""

    name: str
    margin: float
    of_lower: bool = False  #: the end of the interval that is nearer to worse, in place of the difference itself
    larger_is_worse: bool = False
    inclusive: bool = False  #: whether the bound itself is good enough

    def judged(self, found: Difference) -> float | None:
        """Return the figure that is held against `bound`."""
        if not self.of_lower:
            return found.value
        return found.upper if self.larger_is_worse else found.lower

    @property
    def bound(self) -> float:
        """The bound of the difference: below 0 where less is worse, above 0 where more is."""
        return self.margin if self.larger_is_worse else 0.0 - self.margin

    def holds(self, figure: float) -> bool:
        """Return whether a figure is on the good side."""
        sign, compare = (-1.0 if self.larger_is_worse else 1.0), (ge if self.inclusive else gt)
        return bool(compare(sign * figure, -self.margin))


def criterion(place: Place, bound: Bound, found: Difference) -> Criterion:
    """Return how one criterion ended.

    On a set that is too small nothing is met; what is worse with the confidence of the interval is missed all the same.
    """
    judged = bound.judged(found)
    if judged is None:
        state, text = State.OPEN, "there are no labels of both kinds, or nothing to compare"
    elif place.large:
        state = State.MET if bound.holds(judged) else State.MISSED
        text = _figures(bound, found)
    else:
        worse = _best(bound, found)
        missed = worse is not None and not bound.holds(worse)
        state = State.MISSED if missed else State.OPEN
        text = _figures(bound, found) + ("; certainly worse" if missed else "; too few patients to say")
    ends = (found.lower, found.upper)
    sentence = f"{bound.name} on {place.said}: {text}"
    where = (place.locked.name, place.class_name, place.part)
    figures = (found.champion, found.challenger, found.value, *ends, judged, bound.bound)
    return Criterion(bound.name, *where, *figures, state, sentence)


def noted(place: Place, bound: Bound, found: Difference) -> Criterion:
    """Return a figure that is written down and not held against its bound."""
    asked = criterion(place, bound, found)
    return replace(asked, state=State.NOTED, text=f"{asked.text}; only noted: this set is not the target")


def _best(bound: Bound, found: Difference) -> float | None:
    """Return the end of the interval that speaks most for the challenger."""
    return found.lower if bound.larger_is_worse else found.upper


def _figures(bound: Bound, found: Difference) -> str:
    interval = "" if found.lower is None else f" [{found.lower:+.4f}, {found.upper:+.4f}]"
    what = "the worse end of the interval" if bound.of_lower else "the difference"
    side = "below" if bound.larger_is_worse else ("at least" if bound.inclusive else "above")
    compared = f"{found.champion:.4f} -> {found.challenger:.4f}, difference {found.value:+.4f}{interval}"
    return f"{compared}; {what} must be {side} {bound.bound:+.4g}"
