"""The loops of learning: trainings that are asked for, the schedule that asks, and what is labelled kept every day."""

from typing import TYPE_CHECKING, Any

from node.app.parts import Parts
from node.domain.errors import OperatorError
from node.pipeline.learning.retrain import Retrainer, Site
from node.pipeline.learning.training_schedule import DailyCollection, Fires
from node.runtime.child import Child
from node.runtime.loop import WorkLoop
from node.telemetry import logger

if TYPE_CHECKING:
    from node.runtime import schedule

_log = logger("app.retraining")


class Retraining:
    """The loops of learning and the schedule.

    Parameters
    ----------
    parts
        What the node is joined from.
    """

    def __init__(self, parts: Parts) -> None:
        retrain = parts.settings.retrain
        site = Site(parts.settings, parts.database, parts.clock, parts.jitter, parts.keeper, parts.worker("retrain"))

        def child() -> Child:
            return Child(retrain.deadline_s, threads=2, memory_mb=retrain.memory_mb)

        self._retrainer = Retrainer(site, child)
        self._schedule: schedule.Schedule | None = None
        runs, clock = self._retrainer, parts.clock
        self.loops: list[WorkLoop[Any]] = [
            WorkLoop("retrain", runs.claim, runs.handle, runs.fail, runs.next_due, clock)
        ]
        if retrain.schedule:
            from node.runtime.schedule import Schedule  # noqa: PLC0415 - only a node with a schedule loads a scheduler

            fires, daily = Fires(site, lambda: parts.wake_only(("schedule",))), DailyCollection(site, child)
            try:
                self._schedule = Schedule(retrain.schedule, fires.fire)
            except OperatorError as error:  # images are received all the same
                _log.error("nothing is trained by itself", schedule=retrain.schedule, reason=str(error))
            self.loops += [
                WorkLoop("schedule", fires.claim, fires.handle, fires.fail, fires.next_due, clock),
                WorkLoop("collect", daily.claim, daily.handle, daily.fail, daily.next_due, clock),
            ]

    def start(self) -> None:
        """Begin to hear the schedule; the loops are started with the others."""
        if self._schedule is not None:
            self._schedule.start()

    def stop(self) -> None:
        """Hear nothing more, and end the training in hand: it goes on at the next start."""
        if self._schedule is not None:
            self._schedule.stop()
        self._retrainer.stop()
