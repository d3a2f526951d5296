"""What a model says of an image and of a study, in plain values."""

from dataclasses import dataclass, field
from enum import StrEnum

from node.domain.identifiers import SOPInstanceUID


class Outcome(StrEnum):
    """What a study's report concludes; a peer's `outcomes` choose among these."""

    POSITIVE = "positive"
    """At least one finding reaches its threshold."""

    NEGATIVE = "negative"
    """Images were assessed and no finding reaches its threshold."""

    NOT_ASSESSED = "not_assessed"
    """No image could be read; the report says why and carries no probability."""


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept: value, scheme and meaning (DICOM PS3.3 Table 8.8-1)."""

    value: str
    scheme: str
    meaning: str


Region = tuple[tuple[float, float], ...]
"""A closed polyline, (column, row) in pixels of the stored image, (0.0, 0.0) its top left corner (DICOM PS3.3
C.18.6.1.2); empty: no place stands out, or none was asked for."""

UNUSUAL_PERCENTILE = 95.0
"""From this place among a model's reference normals an image counts as unusual: one normal of twenty does as well."""


@dataclass(frozen=True, slots=True)
class HeatGrid:
    """How much each place of an image speaks for an answer: a grid of cells that divide the image evenly."""

    rows: int  #: 1 to 64
    columns: int  #: 1 to 64
    cells: str  #: base64 of rows x columns bytes, row by row: 0 nothing, or against; 255 the strongest place


@dataclass(frozen=True, slots=True)
class Finding:
    """One class of a classifier on one image.

    `probability` and `threshold` are probabilities of presence in [0, 1]. Only what is present has a region.
    """

    name: str  #: the class's key in the bundle, such as "pneumonia"
    finding: Code
    site: Code
    probability: float
    threshold: float
    region: Region = ()  #: where on the image it was seen; of a frame, on that frame
    heat: HeatGrid | None = None  #: None where nobody gets heat maps, or no place speaks for it
    spread: bool = False  #: whether the model was asked where, and no place of the image stands out

    @property
    def present(self) -> bool:
        """Whether the probability reaches the threshold."""
        return self.probability >= self.threshold


@dataclass(frozen=True, slots=True)
class Anomaly:
    """How unusual an image is, measured on the normals that the model was fitted to."""

    z_score: float  #: standard deviations above the mean score of held-out normals
    percentile: float  #: share of those normals with a lower score, 0 to 100
    region: Region = ()  #: as of a finding; only of an unusual image
    heat: HeatGrid | None = None
    spread: bool = False  #: as of a finding

    @property
    def unusual(self) -> bool:
        """Whether so few normals look like this that the place is worth showing."""
        return self.percentile >= UNUSUAL_PERCENTILE


class Cause(StrEnum):
    """Why an image was not assessed; reports say it in the language of their reader."""

    OUTSIDE_LIMITS = "outside_limits"
    """It is unlike the images that the model was trained on."""

    FRAMES_OUTSIDE_LIMITS = "frames_outside_limits"
    """None of its frames is like them."""

    TOO_MANY_FRAMES = "too_many_frames"
    """It has more frames than the model's rule allows."""

    FILE_REMOVED = "file_removed"
    """Its file was removed for its age before this version of the model could read it."""

    UNDECODABLE = "undecodable"
    """Its pixels cannot be decoded."""

    NOT_FINITE = "not_finite"
    """The model's answer is not a finite number."""

    READING_FAILED = "reading_failed"
    """It was given up after several attempts, or for a reason that another attempt does not mend."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether an image may be read.

    `score` is the reconstruction score that decided, and `limit` what it may be at most; both are None where something
    else decided: pixels that cannot be decoded, or a model without such a score, for which the rule alone decides.
    """

    admitted: bool
    reason: Code | None = None  #: set where the model refused the image; None where reading it failed
    sentence: str = ""  #: set when not admitted, or admitted by the rule alone; one sentence for an operator
    score: float | None = None
    limit: float | None = None
    cause: Cause | None = None  #: set when not admitted, by versions of the node that know causes


@dataclass(frozen=True, slots=True)
class FrameReading:
    """What one model says of one frame of an image; `findings` are there only where the frame was admitted."""

    number: int  #: from 1, as (0008,1160) Referenced Frame Number counts
    admitted: bool
    findings: tuple[Finding, ...] = ()
    anomaly: Anomaly | None = None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a model saw of an image in a few numbers, from which no image can be made: for telling drift.

    Little-endian float16 each; empty where the model has no such part, or did not get so far.
    """

    classifier: bytes = b""
    anomaly: bytes = b""


@dataclass(frozen=True, slots=True)
class Reading:
    """All that one model says of one image; `findings` and `anomaly` are there only where it was admitted.

    Of an image that was read frame by frame they are each the highest of an admitted frame, and `frames` holds all.
    """

    sop_instance_uid: SOPInstanceUID
    admission: Admission
    findings: tuple[Finding, ...] = ()
    anomaly: Anomaly | None = None
    frames: tuple[FrameReading, ...] = ()
    fingerprint: Fingerprint | None = field(default=None, compare=False)  #: kept apart from what is said


@dataclass(frozen=True, slots=True)
class KeyImage:
    """An image, or one frame of it, that decided a study's result."""

    sop_instance_uid: SOPInstanceUID
    frame: int | None = None  #: from 1; None where the image as a whole was read


@dataclass(frozen=True, slots=True)
class StudyFinding:
    """What a model says of one class of a whole study."""

    name: str  #: the class's key in the bundle
    finding: Code
    aggregation: str  #: how it was made of images, a value of `node.domain.rule.Aggregation`
    score: float | None  #: in [0, 1]; None where no one figure stands for the study
    threshold: float
    present: bool
    assessed: int  #: images and frames that it was made of
    reached: int  #: of them, those whose own score reaches the threshold
    key_images: tuple[KeyImage, ...] = ()  #: those that decided, the highest first; none where the class is absent
    averaged: int | None = None  #: of how many of the highest scores `score` is the mean; None where it is none
