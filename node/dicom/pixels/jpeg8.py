"""JPEG of 8 bits, decoded by Pillow: a plug-in for pydicom, whose own one reads a frame that ends early as grey.

`node.dicom.pixels.stored_values` hands it to pydicom; it knows one frame at a time. libjpeg fills up what is missing
before an end marker, and says so in a warning that Pillow does not pass on. Without the marker it asks for more data
instead, and Pillow refuses. So frames are decoded without it. A frame that lacks less than its last few blocks is not
noticed, and neither is one of several scans, of which libjpeg does not know the last one but by the marker.

References
----------
ITU-T T.81 B.1.1.3 (markers), B.1.1.5 (0xFF in coded data is followed by 0x00); DICOM PS3.5 8.2.1
"""

from io import BytesIO

from PIL import Image
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

DECODER_DEPENDENCIES = dict.fromkeys((JPEGBaseline8Bit, JPEGExtended12Bit), ("pillow>=10.0",))
"""What pydicom shows where no plug-in is available."""

_END_OF_IMAGE, _START_OF_SCAN = b"\xff\xd9", b"\xff\xda"
_READ_AHEAD = bytes(8)  # libjpeg fills a register of 64 bits before it decodes the last code


def is_available(uid: str) -> bool:
    """Return whether this plug-in decodes a transfer syntax."""
    return uid in DECODER_DEPENDENCIES


def decode_frame(source: bytes, runner: DecodeRunner) -> bytes:
    """Return a decoded frame: samples of 8 bits, colour by pixel and in the colour space that it was stored in.

    Raises
    ------
    OSError
        The frame cannot be decoded, or ends early.
    """
    image = Image.open(BytesIO(without_end(source)), formats=("JPEG",))
    if runner.samples_per_pixel > 1 and "adobe_transform" not in image.info:
        image.draft("YCbCr", image.size)  # as it is stored: pydicom converts by the header
    return image.tobytes()


def without_end(frame: bytes) -> bytes:
    """Return a frame of one scan with zeros in place of its end marker; any other frame as it is."""
    end = frame.rfind(_END_OF_IMAGE)
    if end < 0 or frame.count(_START_OF_SCAN) != 1:
        return frame
    return frame[:end] + _READ_AHEAD
