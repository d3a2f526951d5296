"""What monitoring has to say, as lines of `check`: a stopped model is a fault, any other alarm a note.

A model that has no reference yet is watched for nothing; that is a note, too.
"""

from collections.abc import Iterator

from node.config import MonitorSettings
from node.pipeline.check_line import CheckLine
from node.pipeline.monitoring.figures import missing_of
from node.store.database import Database
from node.store.learning import monitoring
from node.store.registering import registry
from node.store.tables import Mode


def lines(database: Database, settings: MonitorSettings) -> Iterator[CheckLine]:
    """Yield a line for each model whose images are compared with nothing, and for each alarm that stands."""
    for row in [row for row in database.read(registry.all) if row.mode is not Mode.OFF]:
        missing = database.read(lambda tx, row=row: missing_of(tx, row.name, row.version, settings))  # type: ignore[misc]
        if missing:
            text = (
                f"version {row.version} is not watched for drift yet: {missing} images are missing of the "
                f"{settings.reference_images} that later ones are compared with"
            )
            yield CheckLine(f"monitoring {row.name}", "note", text)
    for alarm in database.read(monitoring.open_alarms):
        subject = f"monitoring {alarm.model or alarm.sender}"
        text = f"{alarm.said} (since {alarm.raised_at:%Y-%m-%d %H:%M} UTC; `pacs-node monitor` shows the figures)"
        yield CheckLine(subject, "fault" if alarm.stopped else "note", text)
