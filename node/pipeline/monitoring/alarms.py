"""Which figures are alarms, and what they say: one sentence each, for an operator."""

from collections.abc import Iterator

from node.config import MonitorSettings
from node.pipeline.monitoring.model_figures import BUDGET_STUDIES, CALM_WINDOWS, Budget, Watched, Window
from node.pipeline.monitoring.silence import Silence
from node.store.learning.monitoring_records import Alarm
from node.store.tables.monitoring_tables import AlarmKind, MonitorAlarm


def of(watched: Watched, settings: MonitorSettings) -> Iterator[Alarm]:
    """Yield the alarms that figures of a model are."""
    for window in watched.windows:
        yield from _of_window(watched, window, settings)
    yield from _of_budget(watched, watched.budget, settings)


def of_silence(silence: Silence) -> Alarm:
    """Return the alarm that a sender is silent."""
    hours, usual = silence.pause.total_seconds() / 3600, silence.usual.total_seconds() / 3600
    before = "from the same hour of other weeks on it paused for" if silence.weeks else "its longest pause before was"
    said = f"{silence.sender} has sent no study for {hours:.0f} h; {before} {usual:.1f} h"
    return Alarm(AlarmKind.SILENCE, said, sender=silence.sender, figures={"hours": hours, "usual_hours": usual})


def ended(alarm: MonitorAlarm, watched: Watched, settings: MonitorSettings) -> str:
    """Return why an alarm has ended that the latest figures are not any more, or "" while that may be chance."""
    if alarm.kind in {AlarmKind.FLAGS, AlarmKind.PPV}:
        return _budget_kept(alarm, watched.budget, settings)
    since = watched.since.get((alarm.sender, alarm.modality))
    if since is None:
        return "too few of the latest images are of it to tell"
    if len(since) < CALM_WINDOWS or not all(_is_calm(alarm, watched, window, settings) for window in since):
        return ""
    return f"{CALM_WINDOWS} windows of {since[0].compared.images} images since then show it no more"


def _is_calm(alarm: MonitorAlarm, watched: Watched, window: Window, settings: MonitorSettings) -> bool:
    found = window.compared
    is_known = alarm.kind is not AlarmKind.DRIFT or found.classifier is not None or found.anomaly is not None
    return is_known and alarm.kind not in {one.kind for one in _of_window(watched, window, settings)}


def _budget_kept(alarm: MonitorAlarm, budget: Budget, settings: MonitorSettings) -> str:
    """Return that all of the studies in question came after the alarm, and are enough; else ""."""
    bound = settings.max_flags_per_100 if alarm.kind is AlarmKind.FLAGS else settings.min_ppv
    if bound is None:
        return "no bound is declared any more"
    is_flags = alarm.kind is AlarmKind.FLAGS
    count, least = (
        (budget.assessed, settings.min_images) if is_flags else (budget.labelled_flagged, settings.min_labels)
    )
    if budget.since is None or budget.since <= alarm.raised_at or count < least:
        return ""
    return f"the latest {BUDGET_STUDIES} studies, all since then, keep to the bound"


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
