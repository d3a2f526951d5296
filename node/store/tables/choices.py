"""The words that some columns choose from, a paragraph each."""

from enum import StrEnum


class InstanceKind(StrEnum):
    """What a stored instance is to this node."""

    IMAGE = "image"
    """An image that a rule may read; it starts, extends or reopens its study."""

    OWN = "own"
    """An object that this node made and a peer sent back; it moves nothing."""

    OTHER = "other"
    """Anything else: no image, or made by another AI; it moves nothing."""


class CopyKind(StrEnum):
    """Why a second copy of a held SOP Instance UID was kept."""

    REVISION = "revision"
    """The same pixels under a changed header."""

    QUARANTINED = "quarantined"
    """Other pixels under the same UID; the first copy stands until an operator decides."""


class JobKind(StrEnum):
    """The two kinds of job."""

    READ = "read"
    """Decode one instance and run one model on it."""

    COMPOSE = "compose"
    """Make one study's result of one model out of its readings."""


class Mode(StrEnum):
    """Whether a model works, and whom its reports reach."""

    SHADOW = "shadow"
    """Runs and is recorded; reports only to peers marked as test."""

    ACTIVE = "active"
    """Runs and reports to every peer that gets reports."""

    OFF = "off"
    """Does not run."""


class Origin(StrEnum):
    """How a study came to be here."""

    LIVE = "live"
    """Somebody sent it; its results go where they always go."""

    BACKFILL = "backfill"
    """This node fetched it from an archive; its results leave only where the backfill says so."""


class DeliveryKind(StrEnum):
    """What a rendition is, and so what a delivery brings to its peer."""

    REPORT = "report"
    """A report."""

    TEXT = "text"
    """A plain-text companion of a report; it follows the report to a peer and never comes before it."""

    HEATMAP = "heatmap"
    """A heat map beside a report; it follows the report to a peer and never comes before it."""

    REJECTION_NOTE = "rejection_note"
    """A Key Object Selection that takes a report back (IHE IOCM)."""


EXTRAS = (DeliveryKind.TEXT, DeliveryKind.HEATMAP)
"""What goes beside a report, after it."""

RESULTS = (DeliveryKind.REPORT, *EXTRAS)
"""What says what a model found, so that it is cancelled, held, recalled and rejected with it; notes are not."""


class Commitment(StrEnum):
    """Whether a peer has taken responsibility for a report that it was sent (DICOM PS3.4 Annex J)."""

    NONE = "none"
    """It was not asked."""

    ASKED = "asked"
    """It is to be asked, or has been and has not answered yet."""

    COMMITTED = "committed"
    """It has said that it keeps the report."""

    FAILED = "failed"
    """It has said that it does not hold the report; the report is sent again."""
