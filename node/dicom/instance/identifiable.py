"""What in an image itself may tell whose it is, so that its pixels are kept nowhere but in its own file.

It knows what a dataset says of itself, and looks at no pixel: text that was burned in and is not declared is not found.

References
----------
DICOM PS3.3 C.7.6.1 ((0028,0301) Burned In Annotation, (0028,0302) Recognizable Visual Features), A.8 (Secondary
Capture).
"""

import io

from pydicom import dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError

from node.dicom.encoding.transfer_syntax import NotParsable
from node.dicom.instance.part10 import NotPart10

_BURNED_IN, _RECOGNISABLE = "BurnedInAnnotation", "RecognizableVisualFeatures"
_SECONDARY_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"
"""UID of Secondary Capture Image Storage, and the beginning of those of its multi-frame kinds (PS3.4 B.5)."""

_UNREADABLE = (
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    NotParsable,
    NotPart10,
    TypeError,
    ValueError,
)


def identifiable(content: bytes) -> str:
    """Return why the pixels of an image may tell whose they are, or "" where nothing says so.

    Parameters
    ----------
    content
        A whole DICOM file, as the node stores it.
    """
    try:
        dataset = dcmread(io.BytesIO(content), stop_before_pixels=True)
        sop_class = str(dataset.get("SOPClassUID", ""))
        burned_in, recognisable = (str(dataset.get(name) or "").strip().upper() for name in (_BURNED_IN, _RECOGNISABLE))
    except _UNREADABLE as error:
        return f"its header cannot be read ({type(error).__name__})"
    if burned_in == "YES":
        return "it says that annotation is burned in (0028,0301)"
    if recognisable == "YES":
        return "it says that its patient can be recognised in it (0028,0302)"
    if sop_class == _SECONDARY_CAPTURES or sop_class.startswith(f"{_SECONDARY_CAPTURES}."):
        return "it is a secondary capture, which may show anything"
    return ""
