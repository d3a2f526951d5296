"""JPEG of 12 bits (Process 4), decoded by GDCM: a plug-in for pydicom, whose own plug-ins decode 8 bits only.

`node.dicom.pixels.stored_values` hands it to pydicom; it knows one frame at a time. GDCM's inverse cosine transform and
that of another decoder may differ by one in single pixels, as the standard of JPEG lets them.

References
----------
ITU-T T.81 (extended sequential process), ITU-T T.83 (accuracy of decoders); DICOM PS3.5 8.2.1
"""

import gdcm
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import JPEGExtended12Bit

DECODER_DEPENDENCIES = {JPEGExtended12Bit: ("gdcm>=3.0.10",)}
"""What pydicom shows where no plug-in is available."""


def is_available(uid: str) -> bool:
    """Return whether this plug-in decodes a transfer syntax."""
    return uid in DECODER_DEPENDENCIES


def decode_frame(source: bytes, runner: DecodeRunner) -> bytes:
    """Return a decoded frame: samples of 16 bits, little-endian.

    Raises
    ------
    ValueError
        The frame has 8 bits, which is for other plug-ins, several samples, or cannot be decoded.
    """
    if runner.bits_stored != 12 or runner.samples_per_pixel != 1:
        raise ValueError("only grey images of 12 bits are decoded here")
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    image.SetDataElement(_pixel_data(source))
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, 12, 11, runner.pixel_representation))
    decoded = image.GetBuffer()
    if decoded is None:
        raise ValueError("GDCM cannot decode the frame")
    runner.set_option("bits_allocated", 16)
    frame: bytes = decoded.encode("utf-8", "surrogateescape")  # GDCM hands bytes out as text
    return frame


def _pixel_data(source: bytes) -> "gdcm.DataElement":
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(source)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    return element
