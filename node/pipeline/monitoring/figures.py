"""What is known of a model at this site: how its images compare, how much it flags, what readers say of that.

Windows are of all images, and of each sender and modality by themselves: one scanner that was changed is seen although
ten others go on as ever.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from node.config import MonitorSettings
from node.domain.finding import Outcome
from node.domain.label import CurrentLabel
from node.pipeline.monitoring.windows import Bounds, Compared, Image
from node.store.arriving import sendings
from node.store.database import Transaction
from node.store.labelling import labels
from node.store.learning import exams, monitoring
from node.store.learning.exams import Exam
from node.store.learning.monitoring import Range, Seen

Compare = Callable[[Sequence[Image], Sequence[Sequence[Image]], Bounds], list[Compared]]
"""`node.pipeline.monitoring.windows.compare`, run in a child process."""

_LOOKED_THROUGH = 5_000  # of the newest readings: the latest of a sender that sends one image in fifty are among them
_BUDGET_STUDIES = 100
_LOOKS_BACK = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Window:
    """The latest images of one sender and modality, or of all, beside the reference."""

    sender: str  #: "" of all
    modality: str
    compared: Compared


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is flagged among the latest studies, and what readers say of it."""

    studies: int
    assessed: int
    flagged: int
    labelled_flagged: int
    confirmed: int
    labelled: int
    agreed: int

    @property
    def flags_per_100(self) -> float | None:
        """Flagged of a hundred assessed studies; None where none was."""
        return 100.0 * self.flagged / self.assessed if self.assessed else None

    @property
    def ppv(self) -> float | None:
        """Share of the labelled flagged studies that readers confirm; None where none is labelled."""
        return self.confirmed / self.labelled_flagged if self.labelled_flagged else None

    @property
    def agreement(self) -> float | None:
        """Share of the labelled studies of which model and readers say the same; None where none is labelled."""
        return self.agreed / self.labelled if self.labelled else None


@dataclass(frozen=True, slots=True)
class Watched:
    """What was found of one version of one model."""

    model: str
    version: str
    reference: Range | None
    missing: int  #: images that the reference still needs
    windows: tuple[Window, ...]
    budget: Budget


def images_of(tx: Transaction, model: str, version: str, settings: MonitorSettings) -> tuple[Range | None, list[Seen]]:
    """Return the reference of a version, and its images; without one, the first images that are to become it."""
    known = monitoring.range_of(tx, model, version)
    if known is None:
        return None, monitoring.first(tx, model, version, 0, settings.reference_images)
    return known, monitoring.between(tx, model, version, known)


def windows_of(
    tx: Transaction, model: str, version: str, known: Range, settings: MonitorSettings
) -> dict[tuple[str, str], list[Seen]]:
    """Return the latest images after the reference: of all, and of each sender and modality."""
    latest = monitoring.latest(tx, model, version, known.last, _LOOKED_THROUGH)
    groups: dict[tuple[str, str], list[Seen]] = {}
    for seen in latest:
        groups.setdefault((seen.sender, seen.modality), []).append(seen)
    if len(groups) != 1:  # one sender is all there is; of several each is looked at first, which says more
        groups["", ""] = latest
    return {about: seen[-settings.window_images :] for about, seen in groups.items()}


def compared(
    reference: Sequence[Seen], groups: dict[tuple[str, str], list[Seen]], settings: MonitorSettings, compare: Compare
) -> tuple[Window, ...]:
    """Return how each window lies to the reference."""
    bounds = Bounds(settings.min_images, settings.false_alarms)
    found = compare(_images(reference), [_images(seen) for seen in groups.values()], bounds)
    return tuple(Window(*about, one) for about, one in zip(groups, found, strict=True))


def budget_of(tx: Transaction, model: str, version: str) -> Budget:
    """Return how much a version flags among its latest studies, and what readers say of that."""
    found = list(exams.exams(tx, model, version, _BUDGET_STUDIES))
    truth = truth_of_studies(tx)
    flagged = [exam for exam in found if exam.outcome is Outcome.POSITIVE]
    said = [(exam, truth[exam.study_instance_uid]) for exam in found if exam.study_instance_uid in truth]
    judged = [
        (exam, known) for exam, known in said if exam.outcome is not Outcome.NOT_ASSESSED and _shared(exam, known)
    ]
    confirmed = [exam for exam, known in judged if exam.outcome is Outcome.POSITIVE and _confirmed(exam, known)]
    return Budget(
        studies=len(found),
        assessed=sum(exam.outcome is not Outcome.NOT_ASSESSED for exam in found),
        flagged=len(flagged),
        labelled_flagged=sum(exam.outcome is Outcome.POSITIVE for exam, _ in judged),
        confirmed=len(confirmed),
        labelled=len(judged),
        agreed=sum(_agreed(exam, known) for exam, known in judged),
    )


def truth_of_studies(tx: Transaction) -> dict[str, dict[str, bool]]:
    """Return what readers say of studies, by class: present where it is on one image at least."""
    return truth_of(labels.current(tx))


def truth_of(current: Iterable[CurrentLabel]) -> dict[str, dict[str, bool]]:
    """Return the same of these labels."""
    truth: dict[str, dict[str, bool]] = {}
    for label in current:
        of_study = truth.setdefault(label.study_instance_uid, {})
        of_study[label.class_name] = of_study.get(label.class_name, False) or label.present
    return truth


def silent_senders(tx: Transaction, now: datetime, settings: MonitorSettings) -> list[tuple[str, timedelta, timedelta]]:
    """Return senders that pause for much longer than they ever did, with how long, and the longest pause before.

    A sender is looked at once it has sent studies on ten occasions.
    """
    found = []
    for sender, times in sendings.times_of_studies(tx, now, _LOOKS_BACK).items():
        pauses = [later - earlier for earlier, later in pairwise(times)]
        if len(times) < _OCCASIONS:
            continue
        longest, pause = max(pauses), now - times[-1]
        if pause > max(settings.silence_factor * longest, timedelta(hours=settings.silence_hours)):
            found.append((sender, pause, longest))
    return found


_OCCASIONS = 10


def _images(seen: Sequence[Seen]) -> list[Image]:
    return [Image(one.patient, one.admitted, one.classifier, one.anomaly) for one in seen]


def _shared(exam: Exam, known: dict[str, bool]) -> set[str]:
    return {finding["name"] for finding in exam.findings} & known.keys()


def _confirmed(exam: Exam, known: dict[str, bool]) -> bool:
    return any(known.get(finding["name"], False) for finding in exam.findings if finding["present"])


def _agreed(exam: Exam, known: dict[str, bool]) -> bool:
    said: dict[str, Any] = {finding["name"]: bool(finding["present"]) for finding in exam.findings}
    return all(said[name] == known[name] for name in _shared(exam, known))
