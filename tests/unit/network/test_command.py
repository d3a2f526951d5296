"""Command sets, read and written."""

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dsutils import decode

from node.network.command import (
    NO_DATASET,
    Command,
    CommandField,
    Element,
    MalformedCommand,
    decode_command,
    encode_command,
    response_to,
)

ECHO = {
    Element.COMMAND_FIELD: CommandField.C_ECHO_RQ,
    Element.AFFECTED_SOP_CLASS_UID: "1.2.840.10008.1.1",
    Element.MESSAGE_ID: 7,
    Element.COMMAND_DATA_SET_TYPE: NO_DATASET,
}


def test_an_encoded_command_is_what_the_library_reads() -> None:
    """The library, an independent reader, finds each element with its value, and the group length right."""
    encoded = encode_command({**ECHO, Element.ERROR_COMMENT: "odd"})
    dataset = decode(BytesIO(encoded), True, True)
    assert dataset.CommandGroupLength == len(encoded) - 12
    assert dataset.CommandField == 0x0030
    assert dataset.MessageID == 7
    assert dataset.AffectedSOPClassUID == "1.2.840.10008.1.1"
    assert dataset.ErrorComment == "odd"
    assert len(encoded) % 2 == 0


def test_decoding_gives_back_what_was_encoded() -> None:
    """A command set survives the way out and in."""
    command = decode_command(encode_command(ECHO))
    assert command.field == CommandField.C_ECHO_RQ
    assert command.number(Element.MESSAGE_ID) == 7
    assert command.text(Element.AFFECTED_SOP_CLASS_UID) == "1.2.840.10008.1.1"
    assert not command.has_dataset
    assert command.is_answerable


@pytest.mark.parametrize("uid", ["1..2", "../../etc/passwd", "1.2\\1.3", "9" * 70, "1.2\n3"])
def test_a_malformed_uid_comes_out_as_it_came_in(uid: str) -> None:
    """Whoever judges the UID sees the raw text, not a guess at it."""
    command = decode_command(encode_command({**ECHO, Element.AFFECTED_SOP_INSTANCE_UID: uid}))
    assert command.text(Element.AFFECTED_SOP_INSTANCE_UID) == uid


def test_bytes_that_are_no_ascii_are_no_error() -> None:
    """A UID in bytes of no character set is text that no check of UIDs lets through."""
    assert (
        Command({Element.AFFECTED_SOP_INSTANCE_UID: b"1.2.\xff"}).text(Element.AFFECTED_SOP_INSTANCE_UID)
        == "1.2.\ufffd"
    )


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\0\0",
        encode_command(ECHO)[:-1],
        struct.pack("<HHL", 0, Element.COMMAND_FIELD, 0xFFFFFFFF),
        struct.pack("<HHLH", 8, Element.COMMAND_FIELD, 2, 1),
        encode_command({Element.COMMAND_FIELD: 1}),
        encode_command({Element.COMMAND_DATA_SET_TYPE: NO_DATASET}),
    ],
)
def test_what_is_no_command_set_is_refused(encoded: bytes) -> None:
    """Overruns, other groups and missing mandatory elements are one clear error."""
    with pytest.raises(MalformedCommand):
        decode_command(encoded)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(encoded: bytes) -> None:
    """Whatever comes, decoding ends in a command or in the one error."""
    try:
        command = decode_command(encoded)
    except MalformedCommand:
        return
    assert isinstance(command.field, int)


def test_a_response_names_the_request_and_carries_a_short_comment() -> None:
    """The message ID is repeated, the field has the response bit, and a comment fits its VR of 64 characters."""
    response = decode_command(response_to(decode_command(encode_command(ECHO)), 0xA700, "x" * 100))
    assert response.field == CommandField.C_ECHO_RSP
    assert response.number(Element.MESSAGE_ID_BEING_RESPONDED_TO) == 7
    assert response.number(Element.STATUS) == 0xA700
    assert response.text(Element.ERROR_COMMENT) == "x" * 64


def test_a_request_without_a_message_id_has_no_response() -> None:
    """There is nothing that a response could name."""
    request = decode_command(encode_command({key: value for key, value in ECHO.items() if key != Element.MESSAGE_ID}))
    with pytest.raises(MalformedCommand):
        response_to(request, 0)


@pytest.mark.parametrize("field", [CommandField.C_CANCEL_RQ, CommandField.C_STORE_RSP, 0x8030])
def test_cancels_and_responses_expect_no_response(field: int) -> None:
    """Answering them would be a message out of place."""
    assert not decode_command(encode_command({**ECHO, Element.COMMAND_FIELD: field})).is_answerable
