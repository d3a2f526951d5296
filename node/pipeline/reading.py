"""One image read by one model: decode, admission, prediction, in a child process.

`read_file` runs in the child: it gets a path and a bundle and returns plain values. It never opens the database.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from node.dicom.pixels import PixelsUnreadable, PixelValues, TooManyFrames, read_frames
from node.domain.errors import Permanent
from node.domain.finding import Admission, Anomaly, Code, Finding, Reading
from node.domain.identifiers import SOPInstanceUID
from node.pipeline.frame_readings import OUTSIDE_LIMITS, of_frames
from node.telemetry import native_chatter_dropped

if TYPE_CHECKING:  # the learned part is imported late: a receiving process never pays for it
    from models.inference.reader import Prediction, Reader
__all__ = ["BY_RULE_ALONE", "OUTSIDE_LIMITS", "not_read", "read_file", "warm"]

BY_RULE_ALONE = "Admitted by the model's rule alone: the model has no score of whether an image is of its kind."
"""What is said of every image that a model without an admission score reads."""


def warm(bundle: Path, public_key: Path | None = None) -> None:
    """Load the bundle, so that the first image does not wait for it.

    Raises
    ------
    Permanent
        When the bundle cannot be used.
    """
    _reader(bundle, public_key)


def read_file(
    path: Path, sop_instance_uid: SOPInstanceUID, bundle: Path, public_key: Path | None = None, max_frames: int = 1
) -> Reading:
    """Return what the bundle's model says of the image in a stored file.

    Parameters
    ----------
    path
        A DICOM file with pixels.
    sop_instance_uid
        Its SOP Instance UID.
    bundle
        Folder of the model's bundle.
    public_key
        PEM file of who must have signed the bundle; None: nobody need have.
    max_frames
        The most frames that the model's rule allows. With 1 the model reads single images; with more, an image of
        several is read frame by frame.

    Returns
    -------
    Reading
        Not admitted, with the reason, where the pixels cannot be decoded or are outside what the model knows.

    Raises
    ------
    Permanent
        When the bundle cannot be used.
    """
    readings = []
    try:
        # one frame is decoded and read at a time, so that memory does not grow with their number
        for pixels in _decoded(path, max_frames):
            reader = _reader(bundle, public_key)
            prediction = reader.read(pixels.values[0], pixels.window, inverted=pixels.inverted)
            if not np.isfinite([*prediction.probabilities.values()]).all():
                return not_read(sop_instance_uid, "The model's answer to this image is not a finite number.")
            readings.append(_reading(sop_instance_uid, reader, prediction))
    except TooManyFrames as error:
        allowed = "single images" if max_frames == 1 else f"images of up to {max_frames} frames"
        return not_read(sop_instance_uid, f"The image has {error.frames} frames; the model reads {allowed}.")
    except PixelsUnreadable as error:
        return not_read(sop_instance_uid, f"The pixels cannot be decoded: {error}.")
    return readings[0] if len(readings) == 1 else of_frames(sop_instance_uid, readings)


def _decoded(path: Path, max_frames: int) -> Iterator[PixelValues]:
    frames = read_frames(path, max_frames)
    while True:
        with native_chatter_dropped():  # decoders have opinions of odd files
            pixels = next(frames, None)
        if pixels is None:
            return
        yield pixels


def not_read(sop_instance_uid: SOPInstanceUID, sentence: str) -> Reading:
    """Return the reading of an image whose reading failed; a refusal by the model carries a coded reason instead."""
    return Reading(sop_instance_uid, Admission(admitted=False, reason=None, sentence=sentence))


@lru_cache(maxsize=4)
def _reader(bundle: Path, public_key: Path | None) -> "Reader":
    from models.bundle.folder import BundleError  # noqa: PLC0415 - only a child process imports the learned part
    from models.inference.reader import load  # noqa: PLC0415

    try:
        with native_chatter_dropped():
            return load(bundle, public_key=public_key)
    except BundleError as error:
        raise Permanent(f"the bundle {bundle.name} cannot be used: {error}") from error


def _reading(sop_instance_uid: SOPInstanceUID, reader: "Reader", prediction: "Prediction") -> Reading:
    if not prediction.admitted:
        return Reading(sop_instance_uid, _refused(prediction))
    findings = tuple(
        Finding(
            name=described.name,
            finding=Code(*described.finding),
            site=Code(*described.site),
            probability=prediction.probabilities[described.name],
            threshold=described.threshold,
        )
        for described in reader.manifest.classes
    )
    anomaly = None
    if prediction.anomaly_z is not None and prediction.anomaly_percentile is not None:
        anomaly = Anomaly(prediction.anomaly_z, prediction.anomaly_percentile)
    return Reading(sop_instance_uid, _admitted(prediction), findings, anomaly)


def _refused(prediction: "Prediction") -> Admission:
    return Admission(
        admitted=False,
        reason=OUTSIDE_LIMITS,
        sentence="The image is not like those that the model was trained on "
        f"(admission score {prediction.admission_score:.2f}, limit {prediction.admission_limit:.2f}).",
        score=prediction.admission_score,
        limit=prediction.admission_limit,
    )


def _admitted(prediction: "Prediction") -> Admission:
    score = prediction.admission_score
    sentence = BY_RULE_ALONE if score is None else ""
    return Admission(admitted=True, sentence=sentence, score=score, limit=prediction.admission_limit)
