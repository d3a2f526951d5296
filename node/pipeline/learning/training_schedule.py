"""What the schedule does: it asks for trainings where enough new labels came, and has labelled images kept every day.

It writes rows; the work is `node.pipeline.learning.retrain`'s. Several nodes on one database hear of the same minute
and ask for the same: the first one's row counts.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from node.domain.errors import OperatorError
from node.domain.label import CurrentLabel
from node.pipeline.failure import described
from node.pipeline.learning.collect import Collector
from node.pipeline.learning.example_pixels import KeptPixels, keep_pixels
from node.pipeline.learning.retrain import MakeChild, Site
from node.pipeline.learning.training_request import Asked, model_to_train, new_labels, request
from node.pipeline.registry.catalogue import opened
from node.store.labelling import labels
from node.store.learning import training_set
from node.telemetry import logger

BY = "schedule"
_EVERY = timedelta(days=1)
_AFTER_A_START = timedelta(minutes=20)  # a node that has just come up has other things to do
_AFTER_TROUBLE = timedelta(hours=1)

_log = logger("pipeline.schedule")


class Fires:
    """The minutes that came and are not written down yet, for the work loop.

    Parameters
    ----------
    site
        What trainings stand on.
    wake
        Says to the loop that a minute came.
    """

    def __init__(self, site: Site, wake: Callable[[], None]) -> None:
        self._site, self._wake = site, wake
        self._came: deque[datetime] = deque()

    def fire(self, minute: datetime) -> None:
        """Take note of a minute; from any thread."""
        self._came.append(minute)
        self._wake()

    def next_due(self) -> datetime | None:
        """Return when there is something to write down."""
        return self._site.clock() if self._came else None

    def claim(self) -> datetime | None:
        """Take the first minute."""
        return self._came.popleft() if self._came else None

    def handle(self, minute: datetime) -> None:
        """Ask for a training of every model that has enough new labels."""
        for name in self._site.settings.retrain.models or ("",):
            asked = self.asked(name, minute)
            _log.info("schedule", minute=minute.isoformat(), model=name or "the only one", said=asked.said)

    def fail(self, minute: datetime, error: Exception) -> None:
        """Let a minute go that could not be written down: the next one comes."""
        said = str(error) if isinstance(error, OperatorError) else described(error)
        _log.error("schedule missed", minute=minute.isoformat(), reason=said)

    def asked(self, name: str, minute: datetime) -> Asked:
        """Ask for a training of one model."""
        settings, database = self._site.settings, self._site.database
        model = database.read(lambda tx: model_to_train(tx, settings, name))
        classes = tuple(one.name for one in opened(model.bundle).classes)
        new, least = database.read(lambda tx: new_labels(tx, model.name, classes)), settings.retrain.min_new_labels
        if new < least:
            return Asked(None, f"no training of {model.name}: {new} images have new labels, and {least} are waited for")
        return request(database, settings, model, BY, f"{BY} {minute.isoformat()}", self._site.clock())


class DailyCollection:
    """Keeps every day what was labelled, before retention takes the files away; for the work loop.

    Parameters
    ----------
    site
        What trainings stand on.
    child
        Gives the child process that decodes.
    """

    def __init__(self, site: Site, child: MakeChild) -> None:
        self._site, self._child = site, child
        self._due_at = site.clock() + _AFTER_A_START

    def next_due(self) -> datetime:
        """Return when labels are looked at again."""
        return self._due_at

    def claim(self) -> list[CurrentLabel] | None:
        """Return all labels where some are of images that are not kept yet."""
        current, kept = self._site.database.read(lambda tx: (labels.current(tx), training_set.all(tx)))
        held = {one.sop_instance_uid for one in kept}
        if any(one.sop_instance_uid not in held for one in current):
            return current
        self._due_at = self._site.clock() + _EVERY
        return None

    def handle(self, current: list[CurrentLabel]) -> None:
        """Keep them."""
        self._due_at = self._site.clock() + _EVERY
        child = self._child()

        def keep(stored: Path, place: Path) -> KeptPixels:
            kept: KeptPixels = child.call(keep_pixels, stored, place)
            return kept

        site = self._site
        try:
            issuer = site.settings.retrain.issuer
            collector = Collector(site.database, site.settings.node.data_dir, keep, site.clock, issuer)
            collected = collector.collect(current, lambda *_: None)
        finally:
            child.stop()
        _log.info("labelled images kept", added=collected.added, left_out=collected.left_out, gone=collected.gone)

    def fail(self, _: list[CurrentLabel], error: Exception) -> None:
        """Try again later."""
        self._due_at = self._site.clock() + _AFTER_TROUBLE
        _log.warning("labelled images not kept", reason=described(error))
