"""Pixels as plain values: a stored file in, float32 modality values out.

It knows how the Standard encodes pixels and nothing of what a network wants to see of them. Sizes are computed from
the header before anything is decoded; whatever cannot be decoded rightly is refused with a reason.

References
----------
DICOM PS3.3 C.7.6.3 (Image Pixel), C.7.5.1.1.2 (Pixel Padding), C.11.1 (Modality LUT), C.11.2 (VOI LUT), C.11.6
(Softcopy Presentation LUT)
"""

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.uid import UID

from node.dicom.encoding import DEFLATED, NotParsable, encoding_of, inflate
from node.dicom.frames import frame_rescales, window_of
from node.dicom.padding import as_background, padded_pixels
from node.dicom.part10 import NotPart10, part10_of

MAXIMUM_PIXEL_BYTES = 1 << 30

_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
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
    TypeError,
    ValueError,
    struct.error,
)


class PixelsUnreadable(Exception):  # noqa: N818 - the word of the design: it names a finding about a file
    """The file has no pixels, or none that can be decoded rightly; the message says why, without patient data."""


@dataclass(frozen=True, slots=True)
class PixelValues:
    """All frames of one instance.

    `values` has the shape (frames, rows, columns), float32, in the unit that the Modality LUT gives (of a colour
    image: luminance in the range of its samples).
    """

    values: npt.NDArray[np.float32]
    window: tuple[float, float] | None  #: first VOI window: center and width, in the unit of `values`
    inverted: bool  #: low values are shown bright: MONOCHROME1, or (2050,0020) Presentation LUT Shape INVERSE
    bits_stored: int


def read_pixels(path: Path, max_bytes: int = MAXIMUM_PIXEL_BYTES) -> PixelValues:
    """Decode the pixels of a stored file; padded ones become background.

    Parameters
    ----------
    path
        A DICOM file, as the node stores it.
    max_bytes
        The most that the decoded pixels may take up, computed from Rows, Columns, Number of Frames, Samples per
        Pixel and Bits Allocated, before decoding; also the most that a deflated dataset may inflate to.

    Raises
    ------
    PixelsUnreadable
        There are no pixels, or none but padding, no decoder, fewer bytes than the header promises, more than
        `max_bytes`, or values that are not finite.
    OSError
        The file cannot be read.
    """
    data = path.read_bytes()
    try:
        dataset = _dataset_of(data, max_bytes)
        _check_size(dataset, max_bytes)
        stored, photometric = stored_values(dataset)
        inverted = _is_inverted(dataset, photometric)
        values = _modality_values(dataset, stored, photometric)
        if photometric.startswith("MONOCHROME"):
            _take_out_padding(dataset, _by_frames(stored), values, inverted=inverted)
        window = window_of(dataset)
        bits_stored = int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 8 * stored.dtype.itemsize)
    except _DECODING_FAILURES as failure:
        raise PixelsUnreadable(_reason(failure)) from failure
    if not np.isfinite(values).all():
        raise PixelsUnreadable("the pixel values are not all finite numbers")
    return PixelValues(values, window, inverted, bits_stored)


def stored_values(dataset: Dataset) -> tuple[npt.NDArray[np.generic], str]:
    """Return the stored values and the photometric interpretation that they are in once decoded.

    Returns
    -------
    tuple
        An array (rows, columns), (frames, rows, columns), or either with three samples at the end; and the
        photometric interpretation, RGB for most of what was stored as YBR.
    """
    decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
    values, properties = decoder.as_array(dataset, raw=False)
    photometric = str(properties["photometric_interpretation"])
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        values = _without_high_bits(dataset, values)
    return values, photometric


def _dataset_of(data: bytes, max_bytes: int) -> Dataset:
    """Parse a file; pydicom's own reader would inflate without a limit, and take in stray elements of group 0002."""
    part10 = part10_of(data)
    syntax = part10.transfer_syntax_uid
    encoded = inflate(part10.dataset, max_bytes) if syntax in DEFLATED else part10.dataset
    encoding = encoding_of(syntax)
    dataset = read_dataset(io.BytesIO(encoded), encoding.implicit, not encoding.big_endian)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    return dataset


def _check_size(dataset: Dataset, max_bytes: int) -> None:
    """Refuse what is empty, would not fit, or promises more than its bytes can hold."""
    keyword = next((keyword for keyword in _PIXEL_KEYWORDS if dataset.get(keyword)), None)
    if keyword is None:
        raise PixelsUnreadable("it has no pixel data")
    samples = int(dataset.get("SamplesPerPixel") or 1)
    count = int(dataset.Rows) * int(dataset.Columns) * samples * int(dataset.get("NumberOfFrames") or 1)
    if count <= 0:
        raise PixelsUnreadable(f"it has {dataset.Rows} rows and {dataset.Columns} columns")
    bits = int(dataset.BitsAllocated)
    decoded_bytes = count * max(bits // 8, np.dtype(np.float32).itemsize)
    if decoded_bytes > max_bytes:
        raise PixelsUnreadable(f"its pixels would take up {decoded_bytes} bytes, more than {max_bytes}")
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        _check_native_length(dataset, len(dataset[keyword].value), count * bits)


def _check_native_length(dataset: Dataset, present_bytes: int, promised_bits: int) -> None:
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        promised_bits = promised_bits * 2 // 3  # two samples of colour for two pixels (PS3.3 C.7.6.3.1.2)
    if present_bytes * 8 < promised_bits:
        raise PixelsUnreadable(f"its pixel data is truncated: {present_bytes} of {(promised_bits + 7) // 8} bytes")


def _without_high_bits(dataset: Dataset, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Clear what stands above Bits Stored: it is an old overlay or noise, and no part of the value (PS3.5 8.1.1)."""
    bits_stored = int(dataset.get("BitsStored") or 0)
    if values.dtype.kind not in "ui" or not 0 < bits_stored < 8 * values.dtype.itemsize:
        return values
    if values.dtype.kind == "u":
        masked: npt.NDArray[Any] = values & values.dtype.type((1 << bits_stored) - 1)
        return masked
    unused = 8 * values.dtype.itemsize - bits_stored
    extended: npt.NDArray[Any] = (values << unused) >> unused
    return extended


def _modality_values(dataset: Dataset, stored: npt.NDArray[np.generic], photometric: str) -> npt.NDArray[np.float32]:
    if photometric == "PALETTE COLOR":
        stored, photometric = apply_color_lut(stored, dataset), "RGB"
    if not photometric.startswith("MONOCHROME"):
        return _by_frames(_luminance(stored, photometric))
    if dataset.get("ModalityLUTSequence"):
        return _by_frames(apply_modality_lut(stored, dataset).astype(np.float32))
    values = _by_frames(stored.astype(np.float32))
    for frame, (slope, intercept) in zip(values, frame_rescales(dataset, len(values)), strict=True):
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


def _luminance(samples: npt.NDArray[np.generic], photometric: str) -> npt.NDArray[np.float32]:
    if photometric.startswith("YBR"):
        return samples[..., 0].astype(np.float32)
    return samples[..., :3].astype(np.float32) @ _LUMINANCE


def _by_frames(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values[np.newaxis] if values.ndim == 2 else values


def _reason(failure: Exception) -> str:
    """Return the kind of a decoder's failure; its message may quote values of the dataset."""
    if isinstance(failure, NotParsable | NotPart10):
        return f"the file cannot be parsed: {failure}"
    if isinstance(failure, NotImplementedError | RuntimeError):
        return "no decoder can decode its pixel data"
    if isinstance(failure, MemoryError):
        return "its pixels do not fit into memory"
    return f"its pixel data and the elements that describe it do not fit ({type(failure).__name__})"
