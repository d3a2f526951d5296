"""Which figures are alarms, and what they say: one sentence each, for an operator."""

from collections.abc import Iterator
from datetime import timedelta

from node.config import MonitorSettings
from node.pipeline.monitoring.figures import Budget, Watched, Window
from node.store.learning.monitoring import Alarm
from node.store.monitoring_tables import AlarmKind


def of(watched: Watched, settings: MonitorSettings) -> Iterator[Alarm]:
    """Yield the alarms that figures of a model are."""
    for window in watched.windows:
        yield from _of_window(watched, window, settings)
    yield from _of_budget(watched, watched.budget, settings)


def of_silence(sender: str, pause: timedelta, longest: timedelta) -> Alarm:
    """Return the alarm that a sender is silent."""
    hours, before = pause.total_seconds() / 3600, longest.total_seconds() / 3600
    said = f"{sender} has sent no study for {hours:.0f} h; its longest pause before was {before:.1f} h"
    return Alarm(AlarmKind.SILENCE, said, sender=sender, figures={"hours": hours, "longest_before_hours": before})


def _of_window(watched: Watched, window: Window, settings: MonitorSettings) -> Iterator[Alarm]:
    of_model = {"model": watched.model, "version": watched.version}
    about = {**of_model, "sender": window.sender, "modality": window.modality}
    found, whose = window.compared, _whose(window)
    for stream, seen in (("what the classifier sees", found.classifier), ("what they look like", found.anomaly)):
        if seen is not None and seen[0] > seen[1]:
            distance, limit, share = seen
            said = (
                f"the latest {found.images} images{whose} are not like the reference of {watched.model}: {stream} lies "
            )
            said += f"{distance:.3f} away, by chance at most {limit:.3f}"
            figures = {"stream": stream, "distance": distance, "limit": limit, "share": share, "images": found.images}
            yield Alarm(AlarmKind.DRIFT, said, **about, figures=figures)
            break
    if found.refused_share is not None and found.refused_share < settings.false_alarms:
        said = f"{found.refused} of the latest {found.images} images{whose} were not admitted by {watched.model}, many "
        said += "more than of the reference"
        figures = {"refused": found.refused, "images": found.images, "share": found.refused_share}
        yield Alarm(AlarmKind.ADMISSION, said, **about, figures=figures)


def _of_budget(watched: Watched, budget: Budget, settings: MonitorSettings) -> Iterator[Alarm]:
    of_model = {"model": watched.model, "version": watched.version}
    most, least = settings.max_flags_per_100, settings.min_ppv
    flags, ppv = budget.flags_per_100, budget.ppv
    if most is not None and flags is not None and budget.assessed >= settings.min_images and flags > most:
        said = f"{watched.model} flags {flags:.0f} of 100 studies, [monitor] max_flags_per_100 allows {most:g}"
        yield Alarm(AlarmKind.FLAGS, said, **of_model, figures={"flags_per_100": flags, "of": budget.assessed})
    if least is not None and ppv is not None and budget.labelled_flagged >= settings.min_labels and ppv < least:
        said = f"readers confirm {budget.confirmed} of {budget.labelled_flagged} studies that {watched.model} flagged, "
        said += f"[monitor] min_ppv asks for {100 * least:.0f} %"
        yield Alarm(AlarmKind.PPV, said, **of_model, figures={"ppv": ppv, "of": budget.labelled_flagged})


def _whose(window: Window) -> str:
    return f" of {window.sender} ({window.modality})" if window.sender else ""
