"""What a model says of the frames of one image, put together: one reading that holds them all."""

from collections.abc import Sequence

from node.domain.aggregate import in_one
from node.domain.finding import Admission, Cause, Code, FrameReading, Reading
from node.domain.identifiers import SOPInstanceUID

OUTSIDE_LIMITS = Code("128619", "DCM", "Outside operational limits of the device")
"""Why an image was not admitted (DICOM PS3.16 Annex D)."""


def of_frames(sop_instance_uid: SOPInstanceUID, readings: Sequence[Reading]) -> Reading:
    """Return the reading of an image from those of its frames, in their order, one at least.

    The image is admitted where one of its frames is; its score is that of the frame most like what the model knows.
    """
    frames = [
        FrameReading(number, reading.admission.admitted, reading.findings, reading.anomaly)
        for number, reading in enumerate(readings, start=1)
    ]
    return in_one(sop_instance_uid, frames, _admission([reading.admission for reading in readings]))


def _admission(admissions: Sequence[Admission]) -> Admission:
    admitted = sum(admission.admitted for admission in admissions)
    scores = [admission.score for admission in admissions if admission.score is not None]
    best, limit = min(scores, default=None), admissions[0].limit
    if not admitted:
        sentence = f"None of its {len(admissions)} frames is like the images that the model was trained on."
        cause = Cause.FRAMES_OUTSIDE_LIMITS
        return Admission(admitted=False, reason=OUTSIDE_LIMITS, sentence=sentence, score=best, limit=limit, cause=cause)
    sentence = admissions[0].sentence if admissions[0].admitted else ""  # such as that the rule alone has admitted
    if admitted < len(admissions):
        sentence = f"Of its {len(admissions)} frames, {len(admissions) - admitted} were not admitted and count as none."
    return Admission(admitted=True, sentence=sentence, score=best, limit=limit)
