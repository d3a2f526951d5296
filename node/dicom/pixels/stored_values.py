"""A file opened and its pixels decoded: stored values, as the Standard calls what stands in the pixel data.

What the header claims is held against what is there before anything is decoded (`node.dicom.pixels.claims`). Frames of
RLE claim nothing: they grow at most 64 times, and the reading process has a limit of memory. It knows encodings, and
nothing of what the values mean.

References
----------
DICOM PS3.3 C.7.6.3 (Image Pixel), PS3.5 8 (encoding of pixel data) and A.4 (encapsulation)
"""

import io
import struct
from collections.abc import Iterator
from typing import Any

import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from node.dicom.encoding.transfer_syntax import DEFLATED, NotParsable, encoding_of, inflate
from node.dicom.instance.part10 import dataset_of
from node.dicom.pixels.claims import (
    PixelsUnreadable,
    check_frames,
    check_native_length,
    check_range,
    checked_size,
    number_of_frames,
)
from node.dicom.pixels.codestream import FrameSize

_OF_12_BITS, _OF_8_BITS = "gdcm of 12 bits", "pillow of 8 bits"  # the names of our plug-ins among pydicom's
_OWN_PLUGINS = {
    JPEGBaseline8Bit: {_OF_8_BITS: "node.dicom.pixels.jpeg8"},
    JPEGExtended12Bit: {_OF_8_BITS: "node.dicom.pixels.jpeg8", _OF_12_BITS: "node.dicom.pixels.jpeg12"},
}
# of the plug-ins that decode all of the test files rightly, the fastest; GDCM ends the process on some spoilt frames
_PLUGINS = {
    JPEGBaseline8Bit: _OF_8_BITS,
    JPEGExtended12Bit: _OF_8_BITS,
    JPEGLossless: "gdcm",
    JPEGLosslessSV1: "gdcm",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000Lossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
    HTJ2KLossless: "pylibjpeg",
    HTJ2KLosslessRPCL: "pylibjpeg",
    HTJ2K: "pylibjpeg",
    RLELossless: "pylibjpeg",
}


def opened(data: bytes, max_bytes: int) -> Dataset:
    """Parse a file; pydicom's own reader would inflate without a limit, and take in stray elements of group 0002.

    Raises
    ------
    NotPart10, NotParsable
        It is no DICOM file, or inflates to more than `max_bytes`.
    """
    syntax, encoded = dataset_of(data)
    if syntax in DEFLATED:
        encoded = bytes(inflate(encoded, max_bytes))
    encoding = encoding_of(syntax)
    try:
        dataset = read_dataset(io.BytesIO(encoded), encoding.implicit, not encoding.big_endian)
    except (
        OSError,
        struct.error,
    ) as failure:  # so pydicom calls a dataset that ends early: it is no failure of the disk
        raise NotParsable("it ends inside an element") from failure
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    return dataset


def stored_values(dataset: Dataset, max_bytes: int, max_frames: int | None = None) -> tuple[npt.NDArray[Any], str]:
    """Return the stored values and the photometric interpretation that they are in once decoded.

    Parameters
    ----------
    dataset
        As `opened` returns it.
    max_bytes
        The most that the decoded pixels may take up.
    max_frames
        The most frames that the header may declare; None: any number.

    Returns
    -------
    tuple
        An array (rows, columns), (frames, rows, columns), or either with three samples at the end; and the
        photometric interpretation, RGB for most of what was stored as YBR.

    Raises
    ------
    PixelsUnreadable
        The size is not one that can or may be decoded.
    TooManyFrames
        The header declares more than `max_frames`.
    Exception
        What pydicom and its decoders raise for datasets that are not what they say.
    """
    size = checked_size(dataset, max_bytes, max_frames)
    decoder, options = _checked(dataset, size)
    values, photometric = _decoded(dataset, decoder, options)
    if values.size != size.rows * size.columns * size.samples * number_of_frames(dataset):
        raise PixelsUnreadable("its pixels do not decode into the size that its header says")
    return _meant(dataset, values), photometric


def stored_frames(dataset: Dataset, max_bytes: int, max_frames: int) -> Iterator[tuple[npt.NDArray[Any], str]]:
    """Yield what `stored_values` returns, of one frame at a time: no two are held at once.

    Parameters
    ----------
    dataset, max_frames
        As for `stored_values`.
    max_bytes
        The most that one decoded frame may take up.

    Raises
    ------
    PixelsUnreadable, TooManyFrames, Exception
        As `stored_values`; of a frame that cannot be decoded, when its turn comes.
    """
    size = checked_size(dataset, max_bytes * max(1, number_of_frames(dataset)), max_frames)
    decoder, options = _checked(dataset, size)
    decoding = decoder.iter_array(dataset, **options)
    while (frame := _next(decoding)) is not None:
        values, properties = frame
        if values.size != size.rows * size.columns * size.samples:
            raise PixelsUnreadable("one of its frames does not decode into the size that its header says")
        yield _meant(dataset, values), str(properties["photometric_interpretation"])


def _checked(dataset: Dataset, size: FrameSize) -> tuple[Decoder, dict[str, Any]]:
    """Return what decodes the pixels, and how, once they are seen to be what the header says."""
    syntax = dataset.file_meta.TransferSyntaxUID
    decoder = _decoder(syntax)  # before more is asked of a transfer syntax that is not known
    compressed = bool(syntax.is_encapsulated)
    check = check_frames if compressed else check_native_length
    check(dataset, size)
    # unused bits: of plain values we take them out ourselves, because pydicom does not ask for High Bit
    options = {"raw": False, "correct_unused_bits": compressed, "decoding_plugin": _plugin(dataset, decoder)}
    # pydicom would decode as many frames as it finds, and the size was computed from those that the header declares
    return decoder, options | {"allow_excess_frames": False}


def _meant(dataset: Dataset, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the values that the bits mean."""
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return _value_bits(dataset, values)
    check_range(dataset, values)
    return values


def _next(decoding: Iterator[tuple[npt.NDArray[Any], Any]]) -> tuple[npt.NDArray[Any], Any] | None:
    with _PanicAsError():
        return next(decoding, None)


def _decoder(transfer_syntax_uid: UID) -> Decoder:
    decoder = get_decoder(transfer_syntax_uid)
    for name, module in _OWN_PLUGINS.get(transfer_syntax_uid, {}).items():
        if name not in decoder.available_plugins:
            decoder.add_plugin(name, (module, "decode_frame"))
    return decoder


def _plugin(dataset: Dataset, decoder: Decoder) -> str:
    """Return the one plug-in that decodes: pydicom by itself would try them all, and hand spoilt frames to each."""
    if JPEGExtended12Bit == decoder.UID and dataset.get("BitsStored") != 8:
        return _OF_12_BITS
    return _PLUGINS.get(decoder.UID, "")


def _decoded(dataset: Dataset, decoder: Decoder, options: dict[str, Any]) -> tuple[npt.NDArray[Any], str]:
    with _PanicAsError():
        values, properties = decoder.as_array(dataset, **options)
    return values, str(properties["photometric_interpretation"])


class _PanicAsError:
    """Makes an error of a panic: the RLE decoder is written in Rust, and a panic there is no `Exception`."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, panic: BaseException | None, _: object) -> None:
        """Let everything else pass."""
        if kind is not None and kind.__name__ == "PanicException":
            raise ValueError("the decoder has lost its way in a frame") from panic


def _value_bits(dataset: Dataset, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Keep the bits from High Bit down, as many as Bits Stored: others are an old overlay or noise (PS3.5 8.1.1)."""
    bits_stored, allocated = int(dataset.get("BitsStored") or 0), 8 * values.dtype.itemsize
    high_bit = int(dataset.get("HighBit", bits_stored - 1))
    if (
        values.dtype.kind not in "ui"
        or int(dataset.BitsAllocated) == 1
        or (bits_stored, high_bit) == (allocated, allocated - 1)
    ):
        return values
    if not 0 < bits_stored <= high_bit + 1 <= allocated:
        raise ValueError("High Bit and Bits Stored do not fit into Bits Allocated")
    if values.dtype.kind == "u" and high_bit == bits_stored - 1 and int(values.max()) >> bits_stored == 0:
        return values  # nothing stands above High Bit, as in nearly every image
    # shifted as the type of the values, so that the sign of a signed one is kept
    kept: npt.NDArray[Any] = (values << (allocated - 1 - high_bit)) >> (allocated - bits_stored)
    return kept
