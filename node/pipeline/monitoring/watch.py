"""Looks at each model now and then, raises and clears alarms, and stops a model whose declared bounds are broken.

A stop moves the model to shadow in the transaction that raises the alarm: from the next report on, only test peers
get any. What was found stays with the alarm. An operator who sets the model active again is not overruled by the same
kind of alarm of the same sender, until a declared time after the one that stopped it, or another version serves.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from node.config import MonitorSettings
from node.pipeline.monitoring import alarms
from node.pipeline.monitoring.model_figures import (
    Budget,
    Compare,
    Watched,
    budget_of,
    compared,
    groups_of,
    images_of,
)
from node.pipeline.monitoring.silence import Sendings
from node.store import audit
from node.store.database import Database, Transaction
from node.store.learning import monitoring_records
from node.store.learning.monitoring_records import Alarm, Range
from node.store.registering import registry
from node.store.registering.registry import Registration
from node.store.tables.choices import Mode
from node.store.tables.monitoring_tables import AlarmKind, MonitorAlarm
from node.telemetry import logger

_log = logger("pipeline.monitoring")

_EVERY = timedelta(minutes=10)  # without new images: pauses grow, and labels come
_SOON = timedelta(seconds=15)  # a window gains a few images meanwhile, and a look costs a second of another process
_FIRST_IMAGES = "the first images"


class Watch:
    """Looks at the models of a node.

    Parameters
    ----------
    database
        Where all of it is.
    settings
        What counts as an alarm, and what stops a model.
    clock
        The time now, aware.
    compare
        Compares images with a reference, where it holds up nobody.
    """

    def __init__(
        self, database: Database, settings: MonitorSettings, clock: Callable[[], datetime], compare: Compare
    ) -> None:
        self._database, self._settings, self._clock, self._compare = database, settings, clock, compare
        self._budgets: dict[tuple[str, str], Budget] = {}
        self._sendings = Sendings(settings, clock())

    def look(self, *, at_all: bool = True) -> None:
        """Look at every model that runs; at senders and budgets, for which all labels are read, where that is asked."""
        if at_all:
            self._budgets.clear()
        rows = [row for row in self._database.read(registry.all) if row.mode is not Mode.OFF]
        for row in rows:
            self.look_at(row)
        self._database.write(lambda tx: self._end_others(tx, {row.name: row.version for row in rows}))
        if at_all:
            self._database.read(lambda tx: self._sendings.follow(tx, self._clock()))
            self._database.write(self._hear_senders)

    def look_at(self, row: Registration) -> Watched:
        """Look at one model, settle its alarms, and return what was found; a budget that is known already stands."""
        watched = self.watched(row)
        self._database.write(lambda tx: self._settle(tx, row, watched))
        return watched

    def watched(self, row: Registration) -> Watched:
        """Return what is known of a model; its first images become its reference."""
        settings = self._settings
        reference, seen = self._database.read(lambda tx: images_of(tx, row.name, row.version, settings))
        if reference is None and len(seen) >= settings.reference_images:
            reference = Range(seen[0].id, seen[-1].id, self._clock(), _FIRST_IMAGES)
            self._database.write(lambda tx: _refer(tx, row, reference))
        budget = self._budget(row)
        if reference is None:
            return Watched(row.name, row.version, None, settings.reference_images - len(seen), (), budget)
        known = reference
        groups, later = self._database.read(lambda tx: groups_of(tx, row.name, row.version, known, settings))
        windows, since = compared(seen, groups, later, settings, self._compare)
        return Watched(row.name, row.version, reference, 0, windows, budget, since)

    def _budget(self, row: Registration) -> Budget:
        about = row.name, row.version
        if about not in self._budgets:
            self._budgets[about] = self._database.read(lambda tx: budget_of(tx, *about))
        return self._budgets[about]

    def _settle(self, tx: Transaction, row: Registration, watched: Watched) -> None:
        now, found = self._clock(), list(alarms.of(watched, self._settings))
        key = (row.name, row.version)
        stand = [alarm for alarm in monitoring_records.open_alarms(tx) if (alarm.model, alarm.version) == key]
        for alarm in _gone(stand, found):
            if why := alarms.ended(alarm, watched, self._settings):
                _end(tx, alarm, now, why)
        for new in _new(stand, found):
            self._meet(tx, new, now)
        monitoring_records.prune(tx, row.name, row.version)

    def _meet(self, tx: Transaction, alarm: Alarm, now: datetime) -> None:
        """Raise an alarm; move the model to shadow where the operator has declared so and not decided otherwise."""
        row = registry.get(tx, alarm.model)
        serves = row is not None and (row.version, row.mode) == (alarm.version, Mode.ACTIVE)
        if not serves or alarm.kind.value not in self._settings.stop_on:
            _raise(tx, alarm, now)
        elif monitoring_records.stopped_since(tx, alarm, now - timedelta(days=self._settings.stop_again_days)):
            overruled = "the same alarm stopped it before, and an operator has set the model active since"
            _raise(tx, replace(alarm, said=f"{alarm.said}; {overruled}"), now)
        else:
            registry.set_mode(tx, alarm.model, Mode.SHADOW)
            said = {"before": Mode.ACTIVE.value, "after": Mode.SHADOW.value, "reason": alarm.said}
            audit.add(tx, now, "model mode changed", model=alarm.model, version=alarm.version, **said)
            _raise(tx, replace(alarm, said=f"{alarm.said}; the model is in shadow now"), now, stopped=True)

    def _end_others(self, tx: Transaction, watched: dict[str, str]) -> None:
        """Let the alarms of versions that nobody looks at any more stand no longer."""
        for alarm in monitoring_records.open_alarms(tx):
            if not alarm.model or watched.get(alarm.model) == alarm.version:
                continue
            serving = watched.get(alarm.model)
            why = f"version {serving} serves by now" if serving else f"{alarm.model} reads nothing any more"
            _end(tx, alarm, self._clock(), f"it was about version {alarm.version}, and {why}")

    def _hear_senders(self, tx: Transaction) -> None:
        now = self._clock()
        stand = [alarm for alarm in monitoring_records.open_alarms(tx) if alarm.kind is AlarmKind.SILENCE]
        for alarm in stand:
            heard = self._sendings.last(alarm.sender)
            if heard is not None and heard > alarm.raised_at:
                _end(tx, alarm, now, f"it has sent since {heard:%Y-%m-%d %H:%M} UTC")
        for silence in self._sendings.silent(now):
            new = alarms.of_silence(silence)
            if not monitoring_records.raised_since(tx, new, now - silence.pause):  # nor where an operator has ended it
                _raise(tx, new, now)


class Turns:
    """When it is time to look: soon after new images, and every ten minutes without any.

    Parameters
    ----------
    database
        Where the images are counted.
    watch
        What is done.
    clock
        The time now, aware.
    """

    def __init__(self, database: Database, watch: Watch, clock: Callable[[], datetime]) -> None:
        self._database, self._watch, self._clock = database, watch, clock
        self._due = self._latest = clock() + _SOON
        self._known: dict[tuple[str, str], int] = {}

    def next_due(self) -> datetime:
        """Return when it is time to look."""
        return self._due

    def claim(self) -> dict[tuple[str, str], int] | None:
        """Return how far each model has read, where it is time and something is new; else put it off."""
        now = self._clock()
        if now < self._due:
            return None
        numbers = self._database.read(_newest)
        if numbers == self._known and now < self._latest:
            self._due = now + _SOON
            return None
        return numbers

    def handle(self, numbers: dict[tuple[str, str], int]) -> None:
        """Look; at all of it every ten minutes."""
        at_all = self._clock() >= self._latest
        self._watch.look(at_all=at_all)
        self._known, self._due = numbers, self._clock() + _SOON
        if at_all:
            self._latest = self._clock() + _EVERY

    def fail(self, _numbers: dict[tuple[str, str], int], _error: Exception) -> None:
        """Try again later; the loop has logged it."""
        self._due = self._clock() + _EVERY


def _newest(tx: Transaction) -> dict[tuple[str, str], int]:
    return {(row.name, row.version): monitoring_records.newest(tx, row.name, row.version) for row in registry.all(tx)}


def _refer(tx: Transaction, row: Registration, reference: Range) -> None:
    if monitoring_records.range_of(tx, row.name, row.version) is None:
        monitoring_records.refer(tx, row.name, row.version, reference)


def _gone(stand: Sequence[MonitorAlarm], found: Sequence[Alarm]) -> Iterator[MonitorAlarm]:
    about = {alarm.about for alarm in found}
    return (alarm for alarm in stand if _about(alarm) not in about)


def _end(tx: Transaction, alarm: MonitorAlarm, now: datetime, why: str) -> None:
    monitoring_records.clear_alarm(tx, alarm, now, why)
    audit.add(tx, now, "monitoring alarm ended", kind=alarm.kind.value, model=alarm.model, reason=why)
    _log.info("monitoring alarm ended", kind=alarm.kind.value, model=alarm.model, sender=alarm.sender, reason=why)


def _new(stand: Sequence[MonitorAlarm], found: Sequence[Alarm]) -> Iterator[Alarm]:
    known = {_about(alarm) for alarm in stand}
    return (alarm for alarm in found if alarm.about not in known)


def _about(alarm: MonitorAlarm) -> tuple[str, ...]:
    return alarm.model, alarm.version, alarm.kind.value, alarm.sender, alarm.modality


def _raise(tx: Transaction, alarm: Alarm, now: datetime, *, stopped: bool = False) -> None:
    monitoring_records.raise_alarm(tx, alarm, now, stopped=stopped)
    audit.add(tx, now, "monitoring alarm", kind=alarm.kind.value, model=alarm.model, said=alarm.said)
    _log.warning("monitoring alarm", kind=alarm.kind.value, model=alarm.model, sender=alarm.sender, said=alarm.said)
