"""The steps of an instance between its first byte and its answer, named so that a test can end the process at each.

The product does nothing at any of them; see `unobserved`.
"""

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """What has just been done with an instance, in this order."""

    PART_OPENED = "part opened"
    """Its temporary file exists and is empty."""

    FIRST_WRITTEN = "first fragment written"
    """The temporary file holds the meta information and the beginning of the dataset."""

    ALL_WRITTEN = "all written"
    """The peer has sent everything and waits."""

    CHECKED = "checked"
    """It is a whole dataset, and what was announced."""

    FILE_SYNCED = "file synced"
    """Its bytes are on the disk under the temporary name."""

    RENAMED = "renamed"
    """It has its place, which may not be on the disk yet."""

    FOLDER_SYNCED = "folder synced"
    """Its place is on the disk."""

    HANDED_OVER = "handed over"
    """The process that writes has it; only where another one receives."""

    RECORDED = "recorded"
    """Its rows are written in a transaction that is not committed."""

    COMMITTED = "committed"
    """Everything is durable; the peer has not been answered."""


Reached = Callable[[Step], None]
"""Called at each step, on the thread that took it."""


def unobserved(_: Step) -> None:
    """Do nothing: what the product is given."""


class DeliveryStep(StrEnum):
    """What has just been done with a delivery, in this order."""

    CLAIMED = "claimed"
    """Its row says that it is under way; nothing has left."""

    PINNED = "pinned"
    """Its row says in which form it leaves; nothing has left."""

    ANSWERED = "answered"
    """The peer has answered, and no row says so yet."""

    SETTLED = "settled"
    """Its row says what was answered; the association stands."""


DeliveryReached = Callable[[DeliveryStep], None]
"""Called at each step, on the thread that took it."""


def delivery_unobserved(_: DeliveryStep) -> None:
    """Do nothing: what the product is given."""


class ReadStep(StrEnum):
    """What has just been done with the instances that are read together, in this order."""

    CLAIMED = "claimed for reading"
    """Their jobs' rows say that they are under way; nothing is decoded."""

    DECODED = "decoded"
    """What was compressed is ready for the model."""

    PREDICTED = "predicted"
    """The model has answered, and nothing of it is kept."""

    RECORDED = "readings recorded"
    """The readings are written in a transaction that is not committed."""

    COMMITTED = "readings committed"
    """The readings are durable; nobody has been told that a report may be due."""


class ComposeStep(StrEnum):
    """What has just been done with a study whose report is made, in this order."""

    CLAIMED = "claimed for composing"
    """Its job's row says that it is under way."""

    GATHERED = "gathered"
    """What the report is made of has been read."""

    WRITTEN = "written"
    """The report's bytes are there, and nothing of them is kept."""

    RECORDED = "report recorded"
    """Report and deliveries are written in a transaction that is not committed."""

    COMMITTED = "report committed"
    """Report and deliveries are durable; nobody has been told that there is something to deliver."""


AnalysisReached = Callable[[ReadStep | ComposeStep], None]
"""Called at each step, on the thread that took it."""


def analysis_unobserved(_: ReadStep | ComposeStep) -> None:
    """Do nothing: what the product is given."""
