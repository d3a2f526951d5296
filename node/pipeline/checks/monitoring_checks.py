"""What monitoring has to say, as lines of `check`: a stopped model is a fault, any other alarm a note.

A model that has no reference yet is watched for nothing; that is a note, too.
"""

from collections.abc import Iterator
from functools import partial

from node.config import MonitorSettings
from node.pipeline.check_line import CheckLine
from node.pipeline.monitoring.model_figures import missing_of
from node.store.database import Database, Transaction
from node.store.learning import monitoring_records
from node.store.registering import registry
from node.store.registering.registry import Registration
from node.store.tables.choices import Mode


def lines(database: Database, settings: MonitorSettings) -> Iterator[CheckLine]:
    """Yield a line for each model whose images are compared with nothing, or that was stopped, and for each alarm."""
    for row in [row for row in database.read(registry.all) if row.mode is not Mode.OFF]:
        texts = database.read(partial(_of, row=row, settings=settings))
        yield from (CheckLine(f"monitoring {row.name}", "note", text) for text in texts)
    for alarm in database.read(monitoring_records.open_alarms):
        subject = f"monitoring {alarm.model or alarm.sender}"
        text = f"{alarm.said} (since {alarm.raised_at:%Y-%m-%d %H:%M} UTC; `pacs-node monitor` shows the figures)"
        yield CheckLine(subject, "fault" if alarm.stopped else "note", text)


def _of(tx: Transaction, row: Registration, settings: MonitorSettings) -> list[str]:
    said, missing = [], missing_of(tx, row.name, row.version, settings)
    stop = monitoring_records.stop_of(tx, row.name, row.version) if row.mode is Mode.SHADOW else None
    if stop is not None and stop.cleared_at is not None:  # while it stands it has a line of its own
        way_out = f"`pacs-node models mode {row.name} active` ends that"
        said.append(f"{stop.said} ({stop.raised_at:%Y-%m-%d %H:%M} UTC); {way_out}")
    if missing:
        said.append(
            f"version {row.version} is not watched for drift yet: {missing} images are missing of the "
            f"{settings.reference_images} that later ones are compared with"
        )
    return said
