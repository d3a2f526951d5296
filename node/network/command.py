"""Command sets: the part of a DIMSE message that says what is asked, or answered.

Read and written here as what they are, a dozen elements in Implicit VR Little Endian, because the library's own reading
raises on the values that a node must answer (a UID of 70 characters, no UID at all) and logs what it meets. It knows no
sockets and no datasets.

References
----------
DICOM PS3.7 6.3.1 (command set structure), 9.3 and 10.3 (messages), Annex E (the command dictionary).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

#: (0000,0800) Command Data Set Type: no dataset follows (PS3.7 9.3); every other value says that one does.
NO_DATASET = 0x0101
WITH_DATASET = 0x0001

_ELEMENT_HEADER = struct.Struct("<HHL")
_GROUP_LENGTH = struct.Struct("<HHLL")
_NUMBER = struct.Struct("<HHLH")
_RESPONSE_BIT = 0x8000
_COMMENT_MAXIMUM_LENGTH = 64  # VR LO, PS3.5 6.2


class CommandField(IntEnum):
    """Values of (0000,0100) Command Field that this node tells apart (PS3.7 E.1)."""

    C_STORE_RQ = 0x0001
    C_STORE_RSP = 0x8001
    C_FIND_RQ = 0x0020
    C_MOVE_RQ = 0x0021
    C_ECHO_RQ = 0x0030
    C_ECHO_RSP = 0x8030
    N_EVENT_REPORT_RQ = 0x0100
    N_ACTION_RQ = 0x0130
    C_CANCEL_RQ = 0x0FFF


class Element(IntEnum):
    """Element numbers of group 0000 (PS3.7 E.1)."""

    AFFECTED_SOP_CLASS_UID = 0x0002
    REQUESTED_SOP_CLASS_UID = 0x0003
    COMMAND_FIELD = 0x0100
    MESSAGE_ID = 0x0110
    MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
    MOVE_DESTINATION = 0x0600
    PRIORITY = 0x0700
    COMMAND_DATA_SET_TYPE = 0x0800
    STATUS = 0x0900
    ERROR_COMMENT = 0x0902
    AFFECTED_SOP_INSTANCE_UID = 0x1000
    REQUESTED_SOP_INSTANCE_UID = 0x1001
    EVENT_TYPE_ID = 0x1002
    ACTION_TYPE_ID = 0x1008
    COMPLETED_SUBOPERATIONS = 0x1021
    FAILED_SUBOPERATIONS = 0x1022
    WARNING_SUBOPERATIONS = 0x1023


class MalformedCommand(ValueError):  # noqa: N818 - a state of the message, not of the program
    """The bytes are no command set: its elements overrun it, or a mandatory one is missing."""


@dataclass(frozen=True, slots=True)
class Command:
    """A decoded command set.

    Parameters
    ----------
    elements
        Element number within group 0000, and the value's bytes as they came.
    """

    elements: Mapping[int, bytes]

    def text(self, element: Element) -> str:
        """Return a text value without its padding, otherwise as it came; empty where the element is absent."""
        return self.elements.get(element, b"").decode("ascii", "replace").strip("\0 ")

    def number(self, element: Element) -> int:
        """Return a 16-bit unsigned value; raise `MalformedCommand` where it is absent or of another length."""
        value = self.elements.get(element, b"")
        if len(value) != 2:
            raise MalformedCommand(f"(0000,{element:04X}) is absent or not a 16-bit value")
        return value[0] | value[1] << 8

    def number_if_any(self, element: Element) -> int | None:
        """Return a 16-bit unsigned value, or None where it is absent or of another length."""
        try:
            return self.number(element)
        except MalformedCommand:
            return None

    @property
    def field(self) -> int:
        """(0000,0100) Command Field: which message this is."""
        return self.number(Element.COMMAND_FIELD)

    @property
    def has_dataset(self) -> bool:
        """Whether a dataset follows the command."""
        return self.number(Element.COMMAND_DATA_SET_TYPE) != NO_DATASET

    @property
    def is_answerable(self) -> bool:
        """Whether this is a request that expects a response: a response does not, nor does C-CANCEL-RQ."""
        return not self.field & _RESPONSE_BIT and self.field != CommandField.C_CANCEL_RQ


def decode_command(encoded: bytes) -> Command:
    """Return the command set in these bytes.

    Raises
    ------
    MalformedCommand
        When an element overruns the set, is not of group 0000, or (0000,0100) or (0000,0800) are missing.
    """
    elements: dict[int, bytes] = {}
    position = 0
    whole = len(encoded)
    while position < whole:
        if position + 8 > whole:
            raise MalformedCommand("the command set ends within an element's header")
        group, number, length = _ELEMENT_HEADER.unpack_from(encoded, position)
        end = position + 8 + length
        if group != 0 or end > whole:
            raise MalformedCommand("an element is not of group 0000 or overruns the command set")
        elements[number] = encoded[position + 8 : end]
        position = end
    command = Command(elements)
    _ = command.field, command.has_dataset
    return command


def encode_command(values: Mapping[Element, int | str]) -> bytes:
    """Return a command set, with its (0000,0000) Command Group Length, for these values in any order.

    Numbers are 16-bit; text is padded to an even length; an Error Comment is cut to the 64 characters of its VR.
    """
    body = b"".join([_encode_element(element, values[element]) for element in sorted(values)])
    return _GROUP_LENGTH.pack(0, 0, 4, len(body)) + body


def _encode_element(element: Element, value: int | str) -> bytes:
    if isinstance(value, int):
        return _NUMBER.pack(0, element, 2, value)
    if element is Element.ERROR_COMMENT:
        encoded = _padded(value[:_COMMENT_MAXIMUM_LENGTH], b" ")
    else:
        encoded = _padded(value, b"\0")
    return _ELEMENT_HEADER.pack(0, element, len(encoded)) + encoded


def _padded(text: str, padding: bytes) -> bytes:
    encoded = text.encode("ascii", "replace")
    return encoded + padding if len(encoded) % 2 else encoded


def response_to(request: Command, status: int, comment: str = "", echoed: tuple[Element, ...] = ()) -> bytes:
    """Return the encoded response to a request.

    Parameters
    ----------
    request
        The request; its message ID becomes the (0000,0120) Message ID Being Responded To.
    status
        The (0000,0900) Status.
    comment
        The (0000,0902) Error Comment; left out where empty.
    echoed
        The UIDs of the request that the response repeats.

    Raises
    ------
    MalformedCommand
        When the request has no message ID, so that nothing can be answered.
    """
    values: dict[Element, int | str] = {element: request.text(element) for element in echoed}
    values |= {
        Element.COMMAND_FIELD: request.field | _RESPONSE_BIT,
        Element.MESSAGE_ID_BEING_RESPONDED_TO: request.number(Element.MESSAGE_ID),
        Element.COMMAND_DATA_SET_TYPE: NO_DATASET,
        Element.STATUS: status,
    }
    if comment:
        values[Element.ERROR_COMMENT] = comment
    return encode_command(values)
