"""What is known of a model at this site: how its images compare, how much it flags, what readers say of that.

Windows are of all images, and of each sender and modality by themselves: one scanner that was changed is seen although
ten others go on as ever.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from node.config import MonitorSettings
from node.domain.finding import Outcome
from node.domain.label import CurrentLabel
from node.pipeline.monitoring.site_figures import Share
from node.pipeline.monitoring.windows import Bounds, Compared, Image
from node.store.database import Transaction
from node.store.labelling import labels
from node.store.learning import exams, monitoring_records
from node.store.learning.exams import Exam
from node.store.learning.monitoring_records import Range, Seen
from node.store.tables.monitoring_tables import AlarmKind

Compare = Callable[[Sequence[Image], Sequence[Sequence[Image]], Bounds], list[Compared]]
"""`node.pipeline.monitoring.windows.compare`, run in a child process."""

About = tuple[str, str]
"""Sender and modality; ("", "") of all."""

_LOOKED_THROUGH = 5_000  # of the newest readings: the latest of a sender that sends one image in fifty are among them
BUDGET_STUDIES = 100
_OF_WINDOWS = {AlarmKind.DRIFT, AlarmKind.ADMISSION}
CALM_WINDOWS = 3
"""Windows in a row, no image in two of them, that must show nothing before an alarm ends."""


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
    since: datetime | None  #: when the first of these results was made

    @property
    def flags_per_100(self) -> float | None:
        """Flagged of a hundred assessed studies; None where none was."""
        return Share(self.flagged, self.assessed).per_100

    @property
    def ppv(self) -> float | None:
        """Share of the labelled flagged studies that readers confirm; None where none is labelled."""
        return Share(self.confirmed, self.labelled_flagged).value

    @property
    def agreement(self) -> float | None:
        """Share of the labelled studies of which model and readers say the same; None where none is labelled."""
        return Share(self.agreed, self.labelled).value


@dataclass(frozen=True, slots=True)
class Watched:
    """What was found of one version of one model."""

    model: str
    version: str
    reference: Range | None
    missing: int  #: images that the reference still needs
    windows: tuple[Window, ...]
    budget: Budget
    since: dict[About, tuple[Window, ...]] = field(default_factory=dict)
    """Windows since an alarm, of what one stands of; without that of which too few images come to tell."""


def images_of(tx: Transaction, model: str, version: str, settings: MonitorSettings) -> tuple[Range | None, list[Seen]]:
    """Return the reference of a version, and its images; without one, the first images that are to become it."""
    known = monitoring_records.range_of(tx, model, version)
    if known is None:
        return None, monitoring_records.first(tx, model, version, 0, settings.reference_images)
    return known, monitoring_records.between(tx, model, version, known)


def missing_of(tx: Transaction, model: str, version: str, settings: MonitorSettings) -> int:
    """Return how many images a version still needs to have a reference; 0 where it has one."""
    if monitoring_records.range_of(tx, model, version) is not None:
        return 0
    return settings.reference_images - monitoring_records.count_admitted(tx, model, version, settings.reference_images)


def groups_of(
    tx: Transaction, model: str, version: str, known: Range, settings: MonitorSettings
) -> tuple[dict[About, list[Seen]], dict[About, list[Seen]]]:
    """Return the latest images after the reference, and those since its alarm of what one stands of.

    The images are those of all, and of each sender and modality. Of a sender that sends few of them an alarm ends all
    the same: those since are looked for among all that is kept, and are not asked for where the latest images all came
    since then and too few of them are of it to tell anything.
    """
    latest = monitoring_records.latest(tx, model, version, known.last, _LOOKED_THROUGH)
    groups: dict[About, list[Seen]] = {}
    for seen in latest:
        groups.setdefault((seen.sender, seen.modality), []).append(seen)
    if len(groups) != 1:  # one sender is all there is; of several each is looked at first, which says more
        groups["", ""] = latest
    since: dict[About, list[Seen]] = {}
    for alarm in monitoring_records.open_alarms(tx):
        about, enough = (alarm.sender, alarm.modality), CALM_WINDOWS * settings.window_images
        if (alarm.model, alarm.version) != (model, version) or not groups.get(about) or alarm.kind not in _OF_WINDOWS:
            continue
        if len(groups[about]) >= settings.min_images or latest[0].at <= alarm.raised_at:
            since[about] = monitoring_records.latest_since(tx, alarm, known.last, enough)
    return groups, since


def compared(
    reference: Sequence[Seen],
    groups: dict[About, list[Seen]],
    since: dict[About, list[Seen]],
    settings: MonitorSettings,
    compare: Compare,
) -> tuple[tuple[Window, ...], dict[About, tuple[Window, ...]]]:
    """Return how the latest window of each group lies to the reference, and those since alarms, newest first."""
    cut = [(about, seen[-settings.window_images :]) for about, seen in groups.items()]
    for about, later in since.items():
        size = min(settings.window_images, max(len(groups[about]), settings.min_images))
        ends = [len(later) - place * size for place in range(min(len(later) // size, CALM_WINDOWS))]
        cut += [(about, later[end - size : end]) for end in ends]
    bounds = Bounds(settings.min_images, settings.false_alarms)
    found = compare(_images(reference), [_images(seen) for _, seen in cut], bounds)
    windows = [Window(*about, one) for (about, _), one in zip(cut, found, strict=True)]
    earlier = windows[len(groups) :]
    of = {about: tuple(one for one in earlier if (one.sender, one.modality) == about) for about in since}
    return tuple(windows[: len(groups)]), of


def budget_of(tx: Transaction, model: str, version: str) -> Budget:
    """Return how much a version flags among its latest studies, and what readers say of that."""
    found = list(exams.exams(tx, model, version, BUDGET_STUDIES))
    # of these studies alone: looked at again and again, while all labels ever grow without end
    truth = truth_of(labels.current(tx, [exam.study_instance_uid for exam in found]))
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
        since=min((exam.created_at for exam in found), default=None),
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


def _images(seen: Sequence[Seen]) -> list[Image]:
    return [Image(one.patient, one.admitted, one.classifier, one.anomaly) for one in seen]


def _shared(exam: Exam, known: dict[str, bool]) -> set[str]:
    return {finding["name"] for finding in exam.findings} & known.keys()


def _confirmed(exam: Exam, known: dict[str, bool]) -> bool:
    return any(known.get(finding["name"], False) for finding in exam.findings if finding["present"])


def _agreed(exam: Exam, known: dict[str, bool]) -> bool:
    said: dict[str, Any] = {finding["name"]: bool(finding["present"]) for finding in exam.findings}
    return all(said[name] == known[name] for name in _shared(exam, known))
