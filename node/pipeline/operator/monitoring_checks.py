"""What monitoring has to say, as lines of `check`: a stopped model is a fault, any other alarm a note."""

from collections.abc import Iterator

from node.pipeline.check_line import CheckLine
from node.store.database import Database
from node.store.learning import monitoring


def lines(database: Database) -> Iterator[CheckLine]:
    """Yield a line for each alarm that stands."""
    for alarm in database.read(monitoring.open_alarms):
        subject = f"monitoring {alarm.model or alarm.sender}"
        text = f"{alarm.said} (since {alarm.raised_at:%Y-%m-%d %H:%M} UTC; `pacs-node monitor` shows the figures)"
        yield CheckLine(subject, "fault" if alarm.stopped else "note", text)
