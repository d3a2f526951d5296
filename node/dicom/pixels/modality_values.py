"""Pixels as plain values: a stored file in, float32 modality values out.

It knows how the Standard encodes pixels and nothing of what a network wants to see of them. Sizes are computed from
the header before anything is decoded; whatever cannot be decoded rightly is refused with a reason.

References
----------
DICOM PS3.3 C.7.6.3 (Image Pixel), C.7.5.1.1.2 (Pixel Padding), C.11.1 (Modality LUT), C.11.2 (VOI LUT), C.11.6
(Softcopy Presentation LUT)
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels.processing import apply_color_lut

from node.dicom.encoding.transfer_syntax import NotParsable
from node.dicom.instance.part10 import NotPart10
from node.dicom.pixels.claims import PixelsUnreadable, TooManyFrames, number_of_frames
from node.dicom.pixels.frames import frame_rescales
from node.dicom.pixels.lookup import looked_up, table_of
from node.dicom.pixels.padding import as_background, padded_pixels
from node.dicom.pixels.stored_values import opened, stored_frames, stored_values
from node.dicom.pixels.voi import presented

__all__ = ["MAXIMUM_PIXEL_BYTES", "PixelValues", "PixelsUnreadable", "TooManyFrames", "read_frames", "read_pixels"]

MAXIMUM_PIXEL_BYTES = 1 << 30

_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_LUMINANCE_FIRST = frozenset({"YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_PARTIAL_422", "YBR_ICT", "YBR_RCT"})
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as PS3.3 C.7.6.3.1.2 uses it

# what pydicom and its decoders are seen to raise for datasets that are not what they say
_DECODING_FAILURES = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    NotParsable,
    NotPart10,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True, slots=True)
class PixelValues:
    """All frames of one instance.

    `values` has the shape (frames, rows, columns), float32, in the unit that the Modality LUT gives; where a curve of
    the VOI LUT module shapes the image (SIGMOID, or a VOI LUT and no window), in what that gives; of a colour image,
    luminance in the range of its samples.
    """

    values: npt.NDArray[np.float32]
    window: tuple[float, float] | None
    """First VOI window: center and width of the LINEAR function, in the unit of `values`; None of a colour image."""
    inverted: bool  #: low values are shown bright: MONOCHROME1, or (2050,0020) Presentation LUT Shape INVERSE
    bits_stored: int


def read_pixels(path: Path, max_bytes: int = MAXIMUM_PIXEL_BYTES, max_frames: int | None = None) -> PixelValues:
    """Decode the pixels of a stored file; padded ones become background.

    Parameters
    ----------
    path
        A DICOM file, as the node stores it.
    max_bytes
        The most that the decoded pixels may take up, computed from Rows, Columns, Number of Frames, Samples per
        Pixel and Bits Allocated, before decoding; also the most that a deflated dataset may inflate to.
    max_frames
        The most frames that the header may declare; more are refused before one is decoded. None: any number.

    Raises
    ------
    PixelsUnreadable
        There are no pixels, or none but padding, no decoder, fewer bytes than the header promises, more than
        `max_bytes`, compressed frames of another size, a colour space that is not known, or values that are not
        finite.
    TooManyFrames
        The header declares more than `max_frames`.
    OSError
        The file cannot be read.
    """
    data = path.read_bytes()
    try:
        dataset = opened(data, max_bytes)
        stored, photometric = stored_values(dataset, max_bytes, max_frames)
        rescales = frame_rescales(dataset, number_of_frames(dataset))
        return _pixel_values(dataset, stored, photometric, rescales)
    except _DECODING_FAILURES as failure:
        raise PixelsUnreadable(_reason(failure)) from failure


def read_frames(path: Path, max_frames: int, max_bytes: int = MAXIMUM_PIXEL_BYTES) -> Iterator[PixelValues]:
    """Decode a stored file frame by frame; what is yielded holds one frame, and no two are held at once.

    Parameters
    ----------
    path
        A DICOM file, as the node stores it.
    max_frames
        The most frames that the header may declare; more are refused before one is decoded.
    max_bytes
        The most that one decoded frame may take up; also the most that a deflated dataset may inflate to.

    Raises
    ------
    PixelsUnreadable, TooManyFrames, OSError
        As `read_pixels`; of a frame that cannot be decoded, when its turn comes.
    """
    data = path.read_bytes()
    try:
        dataset = opened(data, max_bytes)
        del data  # the dataset holds the pixel data by itself
        rescales = frame_rescales(dataset, number_of_frames(dataset))
        for (stored, photometric), rescale in zip(stored_frames(dataset, max_bytes, max_frames), rescales, strict=True):
            yield _pixel_values(dataset, stored, photometric, [rescale])
    except _DECODING_FAILURES as failure:
        raise PixelsUnreadable(_reason(failure)) from failure


def _pixel_values(
    dataset: Dataset, stored: npt.NDArray[Any], photometric: str, rescales: Iterable[tuple[float, float]]
) -> PixelValues:
    """Return what the stored values of some frames mean, each with its rescale."""
    inverted = _is_inverted(dataset, photometric)
    window = None
    if photometric in _GREY:
        values, window = presented(dataset, _modality_values(dataset, _by_frames(stored), rescales))
        _take_out_padding(dataset, _by_frames(stored), values, inverted=inverted)
    else:
        values = _by_frames(_luminance(dataset, stored, photometric))
    bits_stored = int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 8 * stored.dtype.itemsize)
    if values.shape[1:] != (dataset.Rows, dataset.Columns) or values.ndim != 3:
        raise PixelsUnreadable("its samples per pixel do not fit its photometric interpretation")
    if not np.isfinite(values).all():
        raise PixelsUnreadable("the pixel values are not all finite numbers")
    return PixelValues(values, window, inverted, bits_stored)


def _modality_values(
    dataset: Dataset, stored: npt.NDArray[Any], rescales: Iterable[tuple[float, float]]
) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what is beyond it becomes infinite, and is refused as such
        values: npt.NDArray[np.float32] = stored.astype(np.float32)
    if dataset.get("ModalityLUTSequence"):
        little_endian = dataset.file_meta.TransferSyntaxUID.is_little_endian
        table = table_of(dataset.ModalityLUTSequence[0], little_endian=little_endian)
        return looked_up(values, table, signed=bool(dataset.get("PixelRepresentation")))
    for frame, (slope, intercept) in zip(values, rescales, strict=True):
        frame *= slope  # noqa: PLW2901 - a view of the array, changed in place
        frame += intercept  # noqa: PLW2901
    return values


def _is_inverted(dataset: Dataset, photometric: str) -> bool:
    """Say whether low values are shown bright.

    MONOCHROME1 says so by itself: a DX image has INVERSE with it, which says the same and does not turn it back
    (PS3.3 C.8.11.3.1.2); other images may have MONOCHROME2 with INVERSE (C.11.6.1).
    """
    return photometric == "MONOCHROME1" or (
        photometric == "MONOCHROME2" and dataset.get("PresentationLUTShape") == "INVERSE"
    )


def _take_out_padding(
    dataset: Dataset, stored: npt.NDArray[Any], values: npt.NDArray[np.float32], *, inverted: bool
) -> None:
    padded = padded_pixels(dataset, stored)
    if padded is None:
        return
    if padded.all():
        raise PixelsUnreadable("all of its pixels are padding")
    as_background(values, padded, inverted=inverted)


def _luminance(dataset: Dataset, stored: npt.NDArray[Any], photometric: str) -> npt.NDArray[np.float32]:
    if photometric in _LUMINANCE_FIRST:
        luminance: npt.NDArray[np.float32] = stored[..., 0].astype(np.float32)
        return luminance
    if photometric not in {"PALETTE COLOR", "RGB"}:
        raise PixelsUnreadable("its photometric interpretation is none that can be made grey")
    colours = apply_color_lut(stored, dataset) if photometric == "PALETTE COLOR" else stored
    return np.asarray(colours[..., :3].astype(np.float32) @ _LUMINANCE, np.float32)


def _by_frames(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values[np.newaxis] if values.ndim == 2 else values


def _reason(failure: Exception) -> str:
    """Return the kind of a decoder's failure; its message may quote values of the dataset."""
    if isinstance(failure, NotParsable | NotPart10):
        return f"the file cannot be parsed: {failure}"
    if isinstance(failure, RecursionError):
        return "its sequences are nested too deeply"
    if isinstance(failure, NotImplementedError | RuntimeError):
        return "no decoder can decode its pixel data"
    if isinstance(failure, MemoryError):
        return "its pixels do not fit into memory"
    return f"its pixel data and the elements that describe it do not fit ({type(failure).__name__})"
