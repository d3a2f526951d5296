"""The verdict: what became of a challenger, with each criterion, its figure and its bound.

Values, and their form as JSON. What is asked is `models.gate.criteria`'s, what follows from it `models.gate.judge`'s.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from models.gate.protocol import Protocol


class Outcome(StrEnum):
    """What a verdict lets happen."""

    PROMOTED = "promoted"
    """Every criterion is met on sets that are large enough: it may take the champion's place."""

    SHADOW = "shadow"
    """Nothing speaks against it, and something could not be judged: it may run beside the champion, no more."""

    REFUSED = "refused"
    """A criterion is missed."""


class State(StrEnum):
    """How a criterion ended."""

    MET = "met"
    MISSED = "missed"
    OPEN = "open"
    """Too few patients, or labels of one kind only: it could not be judged."""

    NOTED = "noted"
    """Measured and not asked for: specificity and calibration on sets that the version was not fitted to."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that was asked, on one locked set, of one class."""

    name: str  #: such as "AUC" or "sensitivity"
    locked_set: str
    class_name: str  #: "" where it is about no single class
    part: str  #: the subgroup as column=value; "" for the whole set
    champion: float | None
    challenger: float | None
    difference: float | None  #: the challenger's less the champion's
    lower: float | None  #: of the interval of the difference
    upper: float | None  #: likewise
    judged: float | None  #: the figure that is held against the bound
    bound: float | None
    state: State
    text: str  #: one sentence: figure, bound and what follows


@dataclass(frozen=True, slots=True)
class SetProgress:
    """How the two versions stand on one locked set, of one class."""

    locked_set: str
    version: str  #: of the locked set
    digest: str
    target: bool
    uses: int  #: before this one
    class_name: str
    images: int
    patients: int
    positives: int  #: patients with an image that shows the class
    negatives: int  #: patients with an image that does not
    champion_auc: float | None
    challenger_auc: float | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Learning, potential and retention of one class, as differences of AUC; None without such sets.

    References
    ----------
    Burgon A, Sahiner B, Petrick NA, Pennello G, Samala RK, "Learning, Potential, and Retention: An Approach for
    Evaluating Adaptive AI-Enabled Medical Devices", arXiv:2604.04878, 2026.
    """

    class_name: str
    learning: float | None  #: on the target sets: the challenger less the champion
    potential: float | None  #: of the champion: on the target sets less on all others, what the change of data did
    retention: float | None  #: on all other sets: the challenger less the champion


@dataclass(frozen=True, slots=True)
class Party:
    """Which version was judged, or against which."""

    name: str
    version: str
    device_uid: str
    thresholds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out, and everything that it rests on."""

    outcome: Outcome
    reasons: tuple[str, ...]  #: of what is missed or open, a sentence each; empty where it is promoted
    champion: Party
    challenger: Party
    protocol: Protocol
    protocol_digest: str
    sets: tuple[SetProgress, ...]
    criteria: tuple[Criterion, ...]
    progress: tuple[Progress, ...]

    def as_json(self) -> dict[str, Any]:
        """Return all of it as values that JSON can hold."""
        table = asdict(self)
        return {**table, "reasons": list(self.reasons)}
