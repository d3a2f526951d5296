"""Images read by one model: decode, admission, prediction, in child processes.

`read_images` runs in the child that has the model: it gets paths, or images that another child has decoded, and returns
plain values. `prepare_file` runs in a child that only decodes: whatever a decoder of compressed pixels does there, the
model's process lives on. Neither opens the database.

Images are decoded in a thread while the networks run: both leave the interpreter alone for most of their time.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from node.dicom.pixels.modality_values import PixelsUnreadable, PixelValues, TooManyFrames, read_frames
from node.domain.chosen_heat_maps import with_grids_to_draw
from node.domain.errors import Permanent
from node.domain.finding import Admission, Cause, Fingerprint, Reading
from node.domain.identifiers import SOPInstanceUID
from node.pipeline.analysis.frame_readings import OUTSIDE_LIMITS, of_frames
from node.pipeline.analysis.where import anomaly_of, findings_of, where
from node.telemetry import native_chatter_dropped

if TYPE_CHECKING:  # the learned part is imported late: a receiving process never pays for it
    from models.inference.prepare import Preparer, Seen
    from models.inference.reader import Prediction, Reader

__all__ = [
    "BY_RULE_ALONE",
    "OUTSIDE_LIMITS",
    "Prepared",
    "StoredImage",
    "not_read",
    "prepare_file",
    "read_images",
    "warm",
]

Loaded = TypeVar("Loaded")

_THREADS = 1
"""How many decode while the networks run, which take three times as long; more would wait for the interpreter."""

_TOGETHER = 8
"""Frames in one call of a network, at most. On a CPU more at once is no faster, and what is ready need not wait."""

_SMALLEST_SIDE, _LONGEST = 16, 10
"""Rows and columns that an image has at least, and how many times longer one side may be than the other: a line that is
stretched to a square can look like anything, also to an admission that has never seen one."""

_SWITCH_S = 0.0005  # a thread that computes in Python lets go of the interpreter for the networks so soon

BY_RULE_ALONE = "Admitted by the model's rule alone: the model has no score of whether an image is of its kind."
"""What is said of every image that a model without an admission score reads."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A file to be read, and the SOP Instance UID under which it is held."""

    path: Path
    sop_instance_uid: SOPInstanceUID
    max_frames: int = 1
    """The most frames that the model's rule allows; with 1 the model reads single images, with more each frame."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image that was decoded: what the networks take of each frame, or what is said of one that cannot be read."""

    sop_instance_uid: SOPInstanceUID
    seen: "tuple[Seen, ...]"
    refused: Reading | None = None


def warm(bundle: Path, public_key: Path | None = None) -> None:
    """Load the bundle, so that the first image does not wait for it.

    Raises
    ------
    Permanent
        When the bundle cannot be used.
    """
    sys.setswitchinterval(_SWITCH_S)
    _reader(bundle, public_key)


def read_images(
    images: Sequence[StoredImage | Prepared], bundle: Path, public_key: Path | None = None, *, heat: bool = False
) -> list[Reading]:
    """Return what the bundle's model says of images, in their order.

    Parameters
    ----------
    images
        DICOM files with pixels, or what `prepare_file` made of them for this bundle.
    bundle
        Folder of the model's bundle.
    public_key
        PEM file of who must have signed the bundle; None: nobody need have.
    heat
        Whether the grids of heat maps are kept with what is flagged.

    Returns
    -------
    list of Reading
        Not admitted, with the reason, where the pixels cannot be decoded or are outside what the model knows.

    Raises
    ------
    Permanent
        When the bundle cannot be used.
    """
    reader = _reader(bundle, public_key)
    readings: list[Reading] = []
    with native_chatter_dropped():  # decoders have opinions of odd files
        coming = deque(_coming(image, reader.prepare) for image in images)
        while coming:
            readings += _read(reader, _ready(coming), heat=heat)
    return readings


def prepare_file(image: StoredImage, bundle: Path, public_key: Path | None = None) -> Prepared:
    """Return what the bundle's networks take of the image in a stored file; no network is loaded.

    Raises
    ------
    Permanent
        When the bundle cannot be used.
    """
    preparer = _preparer(bundle, public_key)
    with native_chatter_dropped():
        return _prepared(image, preparer.prepare)


def not_read(sop_instance_uid: SOPInstanceUID, sentence: str, cause: Cause = Cause.READING_FAILED) -> Reading:
    """Return the reading of an image that was not read; a refusal by the model carries a coded reason besides."""
    return Reading(sop_instance_uid, Admission(admitted=False, reason=None, sentence=sentence, cause=cause))


_Prepare = Callable[..., "Seen"]


def _coming(image: StoredImage | Prepared, prepare: _Prepare) -> Future[Prepared]:
    if isinstance(image, StoredImage):
        return _threads().submit(_prepared, image, prepare)
    done: Future[Prepared] = Future()
    done.set_result(image)
    return done


def _ready(coming: deque[Future[Prepared]]) -> list[Prepared]:
    """Take the next image, as soon as it is decoded, and with it those after it that are."""
    ready = [coming.popleft().result()]
    while coming and coming[0].done() and len(ready) < _TOGETHER:
        ready.append(coming.popleft().result())
    return ready


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="decode")


def _prepared(image: StoredImage, prepare: _Prepare) -> Prepared:
    uid, allowed = image.sop_instance_uid, image.max_frames
    try:
        # one frame is decoded at a time and made small, so that memory hardly grows with their number
        frames = read_frames(image.path, allowed)
        return Prepared(uid, tuple(_seen(one, prepare) for one in frames))
    except _NoPictureError as error:
        refused = Admission(False, OUTSIDE_LIMITS, f"The image has {error} pixels, which show too little.")
        return Prepared(uid, (), Reading(uid, replace(refused, cause=Cause.OUTSIDE_LIMITS)))
    except TooManyFrames as error:
        reads = "single images" if allowed == 1 else f"images of up to {allowed} frames"
        sentence = f"The image has {error.frames} frames; the model reads {reads}."
        return Prepared(uid, (), not_read(uid, sentence, Cause.TOO_MANY_FRAMES))
    except PixelsUnreadable as error:
        return Prepared(uid, (), not_read(uid, f"The pixels cannot be decoded: {error}.", Cause.UNDECODABLE))


class _NoPictureError(Exception):
    """An image of so few rows or columns that whatever a network makes of it is made up."""


def _seen(frame: PixelValues, prepare: _Prepare) -> "Seen":
    rows, columns = frame.values[0].shape
    if min(rows, columns) < _SMALLEST_SIDE or max(rows, columns) > _LONGEST * min(rows, columns):
        raise _NoPictureError(f"{rows} x {columns}")
    return prepare(frame.values[0], frame.window, inverted=frame.inverted)


def _read(reader: "Reader", images: Sequence[Prepared], *, heat: bool) -> list[Reading]:
    predictions = _predicted(reader, [frame for image in images for frame in image.seen])
    return [image.refused or _said(image, reader, predictions, heat=heat) for image in images]


def _predicted(reader: "Reader", frames: Sequence["Seen"]) -> Iterator["Prediction"]:
    for first in range(0, len(frames), _TOGETHER):
        yield from reader.predict(frames[first : first + _TOGETHER])


def _said(image: Prepared, reader: "Reader", predictions: Iterator["Prediction"], *, heat: bool) -> Reading:
    uid, of_image = image.sop_instance_uid, [next(predictions) for _ in image.seen]
    if not all(np.isfinite([*one.probabilities.values()]).all() for one in of_image):
        return not_read(uid, "The model's answer to this image is not a finite number.", Cause.NOT_FINITE)
    both = list(zip(image.seen, of_image, strict=True))
    readings = [_reading(uid, reader, seen, prediction, heat=heat) for seen, prediction in both]
    said = readings[0] if len(readings) == 1 else with_grids_to_draw(of_frames(uid, readings))
    return replace(said, fingerprint=_fingerprint(*both[len(both) // 2]))


def _fingerprint(seen: "Seen", prediction: "Prediction") -> Fingerprint:
    from models.inference.fingerprint import fingerprint  # noqa: PLC0415 - only a child process imports it

    taken = fingerprint(seen, prediction)
    return Fingerprint(taken.classifier.astype("<f2").tobytes(), taken.anomaly.astype("<f2").tobytes())


@lru_cache(maxsize=4)
def _reader(bundle: Path, public_key: Path | None) -> "Reader":
    from models.inference.reader import load  # noqa: PLC0415 - only a child process imports the learned part

    return _loaded(bundle, lambda: load(bundle, public_key=public_key))


@lru_cache(maxsize=4)
def _preparer(bundle: Path, public_key: Path | None) -> "Preparer":
    from models.inference.prepare import load_preparer  # noqa: PLC0415 - as above

    return _loaded(bundle, lambda: load_preparer(bundle, public_key))


def _loaded(bundle: Path, load: Callable[[], Loaded]) -> Loaded:
    from models.bundle.folder import BundleError  # noqa: PLC0415 - as above

    try:
        with native_chatter_dropped():
            return load()
    except BundleError as error:
        raise Permanent(f"the bundle {bundle.name} cannot be used: {error}") from error


def _reading(uid: SOPInstanceUID, reader: "Reader", seen: "Seen", prediction: "Prediction", *, heat: bool) -> Reading:
    if not prediction.admitted:
        return Reading(uid, _refused(prediction))
    findings, anomaly = findings_of(reader.manifest, prediction), anomaly_of(prediction)
    return Reading(uid, _admitted(prediction), *where(reader.manifest, seen, prediction, findings, anomaly, heat=heat))


def _refused(prediction: "Prediction") -> Admission:
    return Admission(
        admitted=False,
        reason=OUTSIDE_LIMITS,
        sentence="The image is not like those that the model was trained on "
        f"(admission score {prediction.admission_score:.2f}, limit {prediction.admission_limit:.2f}).",
        score=prediction.admission_score,
        limit=prediction.admission_limit,
        cause=Cause.OUTSIDE_LIMITS,
    )


def _admitted(prediction: "Prediction") -> Admission:
    score = prediction.admission_score
    sentence = BY_RULE_ALONE if score is None else ""
    return Admission(admitted=True, sentence=sentence, score=score, limit=prediction.admission_limit)
