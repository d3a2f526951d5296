"""What a version of a model would have done at this site: figures over the studies that it read and readers labelled.

Counted by study: a class is there where readers say so of one image at least. A study of which readers say nothing
counts for how often the model flags and for what it did not assess, and for nothing else. Other thresholds are tried on
the highest score of a study's images, which decides where a rule's aggregation is "any" or "maximum".

References
----------
Wilson E B, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22, 1927 (the intervals).
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from node.domain.finding import Outcome, Reading
from node.domain.instance import age_of
from node.store.learning.exams import Exam

_Z = 1.959964  # of 95 %
_THRESHOLDS = 9


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95 % interval by Wilson."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """None where there is nothing to count."""
        return self.count / self.of if self.of else None

    @property
    def per_100(self) -> float | None:
        """For a hundred; None where there is nothing to count."""
        return 100.0 * self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its ends; None where there is nothing to count."""
        if not self.of:
            return None
        share, of = self.count / self.of, self.of
        middle = (share + _Z**2 / (2 * of)) / (1 + _Z**2 / of)
        half = _Z * sqrt(share * (1 - share) / of + _Z**2 / (4 * of**2)) / (1 + _Z**2 / of)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Counts:
    """How flags and labels meet."""

    flagged_present: int
    flagged_absent: int
    missed: int
    passed: int

    @property
    def sensitivity(self) -> Share:
        """Of the studies that have it, those that are flagged."""
        return Share(self.flagged_present, self.flagged_present + self.missed)

    @property
    def specificity(self) -> Share:
        """Of the studies that do not have it, those that are not flagged."""
        return Share(self.passed, self.passed + self.flagged_absent)

    @property
    def positive_predictive_value(self) -> Share:
        """Of the flagged studies, those that have it."""
        return Share(self.flagged_present, self.flagged_present + self.flagged_absent)

    @property
    def negative_predictive_value(self) -> Share:
        """Of the studies that are not flagged, those that do not have it."""
        return Share(self.passed, self.passed + self.missed)

    def per_100(self, which: str) -> float | None:
        """Return one of its numbers for a hundred labelled studies; None where none is labelled."""
        return Share(getattr(self, which), sum(asdict(self).values())).per_100


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class: all labelled studies, groups of them, and other thresholds."""

    name: str
    meaning: str
    threshold: float
    counts: Counts
    kinds: dict[str, Counts]  #: of labelled studies that say more than others, by what they are
    groups: dict[str, dict[str, Counts]]  #: by what tells studies apart, by its value
    thresholds: tuple[tuple[float, Counts], ...]  #: what other thresholds would have done


@dataclass(frozen=True, slots=True)
class SiteFigures:
    """All that the page of a site says in numbers."""

    studies: int
    assessed: int
    flagged: int
    labelled: int
    not_assessed: dict[str, int]  #: by reason
    classes: tuple[ClassFigures, ...]

    @property
    def flags_per_100(self) -> float | None:
        """Flagged of a hundred assessed studies."""
        return Share(self.flagged, self.assessed).per_100


_GROUPS: dict[str, Callable[[Exam], str]] = {
    "sender": lambda exam: exam.sender,
    "age": lambda exam: _age_band(age_of(exam.header)),
    "sex": lambda exam: exam.header.patient_sex or "not known",
    "view": lambda exam: exam.header.view_position or "not known",
}


def figures(
    exams: Sequence[Exam],
    truth: dict[str, dict[str, bool]],
    readings: Iterable[tuple[str, Reading]],
    kinds: Mapping[str, Collection[str]],
) -> SiteFigures:
    """Return the figures of a version.

    Parameters
    ----------
    exams
        What it concluded of studies.
    truth
        What readers say, by study and class.
    readings
        What it said of each image, with the study's UID.
    kinds
        Studies that say more than others, by what they are.
    """
    reasons: Counter[str] = Counter()
    highest: dict[tuple[str, str], float] = {}
    for study, reading in readings:
        if not reading.admission.admitted:
            reasons[reading.admission.cause.value if reading.admission.cause else "not known"] += 1
        for finding in reading.findings:
            key = study, finding.name
            highest[key] = max(highest.get(key, 0.0), finding.probability)
    assessed = [exam for exam in exams if exam.outcome is not Outcome.NOT_ASSESSED]
    names = dict.fromkeys((finding["name"]) for exam in assessed for finding in exam.findings)
    return SiteFigures(
        studies=len(exams),
        assessed=len(assessed),
        flagged=sum(exam.outcome is Outcome.POSITIVE for exam in assessed),
        labelled=sum(exam.study_instance_uid in truth for exam in assessed),
        not_assessed=dict(reasons.most_common()),
        classes=tuple(_class(name, assessed, truth, highest, kinds) for name in names),
    )


def _class(
    name: str,
    exams: Sequence[Exam],
    truth: dict[str, dict[str, bool]],
    highest: dict[tuple[str, str], float],
    kinds: Mapping[str, Collection[str]],
) -> ClassFigures:
    said = [
        (exam, finding, truth[exam.study_instance_uid][name])
        for exam in exams
        for finding in exam.findings
        if finding["name"] == name and name in truth.get(exam.study_instance_uid, {})
    ]
    known = next(finding for exam in exams for finding in exam.findings if finding["name"] == name)
    return ClassFigures(
        name=name,
        meaning=known["finding"]["meaning"],
        threshold=known["threshold"],
        counts=_counted((bool(finding["present"]), label) for _, finding, label in said),
        kinds={kind: _of_studies(said, studies) for kind, studies in kinds.items()},
        groups={group: _grouped(said, of) for group, of in _GROUPS.items()},
        thresholds=_at_thresholds(
            [(highest.get((exam.study_instance_uid, name), 0.0), label) for exam, _, label in said]
        ),
    )


def _of_studies(said: Sequence[tuple[Exam, dict[str, Any], bool]], studies: Collection[str]) -> Counts:
    own = (one for one in said if one[0].study_instance_uid in studies)
    return _counted((bool(finding["present"]), label) for _, finding, label in own)


def _grouped(said: Sequence[tuple[Exam, dict[str, Any], bool]], of: Callable[[Exam], str]) -> dict[str, Counts]:
    values = sorted({of(exam) for exam, _, _ in said})
    return {
        value: _counted((bool(finding["present"]), label) for exam, finding, label in said if of(exam) == value)
        for value in values
    }


def _at_thresholds(known: Sequence[tuple[float, bool]]) -> tuple[tuple[float, Counts], ...]:
    """Return what thresholds from a tenth to nine tenths of the labelled studies' scores would have done."""
    ordered = sorted(score for score, _ in known)
    if not ordered:
        return ()
    places = [ordered[len(ordered) * tenth // (_THRESHOLDS + 1)] for tenth in range(1, _THRESHOLDS + 1)]
    return tuple(
        (place, _counted((score >= place, label) for score, label in known)) for place in dict.fromkeys(places)
    )


def _counted(pairs: Iterable[tuple[bool, bool]]) -> Counts:
    counted = Counter(pairs)
    return Counts(counted[True, True], counted[True, False], counted[False, True], counted[False, False])


def _age_band(age: float | None) -> str:
    if age is None:
        return "not known"
    for limit, name in ((1, "under 1"), (6, "1 to 5"), (18, "6 to 17"), (65, "18 to 64")):
        if age < limit:
            return name
    return "65 and above"
