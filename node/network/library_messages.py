"""Messages that the library serves: decoded by it from the bytes that came, complete as the Standard asks.

The library raises on what it cannot decode, wherever it is called, and is silent at a request without what is
mandatory; here either breaks the protocol, and so aborts the association (PS3.7 9.1, 10.1: parameters marked M).
"""

import struct
from typing import Any

from pydicom.errors import BytesLengthException, InvalidDicomError
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.pdu_primitives import P_DATA

from node.network.pdu import IS_COMMAND, IS_LAST, BrokenProtocol

#: What the library's and pydicom's decoders raise at bytes that are not what they expect.
LIBRARY_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


def decoded(context_id: int, command: bytes, dataset: bytes) -> Any:
    """Return the library's primitive for a request.

    Parameters
    ----------
    context_id
        The presentation context that it came on.
    command
        Its command set as it came, whole.
    dataset
        Its dataset as it came, empty where there is none.

    Raises
    ------
    BrokenProtocol
        When the library cannot decode it, or finds that it lacks what is mandatory.
    """
    primitive, message = P_DATA(), DIMSEMessage()
    values = primitive.presentation_data_value_list
    values.append((context_id, bytes([IS_COMMAND | IS_LAST]) + command))
    values.append((context_id, bytes([IS_LAST]) + dataset))
    try:
        message.decode_msg(primitive)
        request: Any = message.message_to_primitive()
        is_complete = bool(request.is_valid_request)
    except LIBRARY_ERRORS as error:
        raise BrokenProtocol(f"a command set that cannot be decoded ({type(error).__name__})") from None
    if not is_complete:
        raise BrokenProtocol("a request without what is mandatory")
    return request
