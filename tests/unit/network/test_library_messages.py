"""Messages that the library serves, decoded by it."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom.dimse_primitives import C_ECHO

from node.network.command import NO_DATASET, CommandField, Element, encode_command
from node.network.library_messages import decoded
from node.network.pdu import BrokenProtocol
from node.network.presentation import VERIFICATION

ECHO = encode_command(
    {
        Element.AFFECTED_SOP_CLASS_UID: VERIFICATION,
        Element.COMMAND_FIELD: CommandField.C_ECHO_RQ,
        Element.MESSAGE_ID: 7,
        Element.COMMAND_DATA_SET_TYPE: NO_DATASET,
    }
)


def test_a_request_becomes_the_librarys_primitive() -> None:
    """With its message ID and class."""
    request = decoded(1, ECHO, b"")
    assert isinstance(request, C_ECHO)
    assert (request.MessageID, request.AffectedSOPClassUID) == (7, VERIFICATION)


def test_a_request_without_what_is_mandatory_breaks_the_protocol() -> None:
    """The library would say nothing, and the peer wait."""
    fields = {Element.COMMAND_FIELD: CommandField.C_ECHO_RQ, Element.COMMAND_DATA_SET_TYPE: NO_DATASET}
    with pytest.raises(BrokenProtocol, match="mandatory"):
        decoded(1, encode_command(fields), b"")


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=5), st.binary(max_size=20))
def test_any_change_of_a_request_is_decoded_or_breaks_the_protocol(
    changes: list[tuple[int, int]], dataset: bytes
) -> None:
    """Whatever the library raises ends as that, on the association's own thread."""
    encoded = bytearray(ECHO)
    for place, value in changes:
        encoded[place % len(encoded)] = value
    with contextlib.suppress(BrokenProtocol):
        assert decoded(1, bytes(encoded), dataset).is_valid_request
