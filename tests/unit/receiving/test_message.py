"""What processes say to each other arrives as it was meant, and an error ends as what it was."""

import json
from dataclasses import replace

import pytest

from node.domain.errors import OperatorError, Refused
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.instance import InstanceHeader
from node.network.incoming import Announced
from node.network.refused import RefusedAssociation
from node.network.released import ReleasedAssociation
from node.pipeline.intake.arrival import Arrival
from node.receiving.message import RecordingFailed, asked, ended, outcome, understood
from node.store.arriving.header_text import header_of_text, text_of_header
from node.store.codec import header_to_json
from node.store.unavailable import CommitUncertain, DatabaseUnavailable

_HEADER = InstanceHeader(
    "1.2.840.10008.5.1.4.1.1.2",
    SOPInstanceUID("1.2.3.4"),
    StudyInstanceUID("1.2"),
    SeriesInstanceUID("1.2.3"),
    "1.2.840.10008.1.2.1",
    patient_name="Müller^Jörg\n\ud800 山田",
    image_type=("ORIGINAL", "PRIMARY"),
    rows=512,
    has_pixels=True,
    device_uids=("2.25.1", "2.25.2"),
)
_SAID = Announced("1.2.840.10008.5.1.4.1.1.2", "1.2.3.4", "1.2", "1.2.840.10008.1.2.1", "CT 1", "NODE", "::1")


def test_an_arrival_is_understood_as_it_was_asked() -> None:
    """Every element of its header, too; and the header as text comes along, for the row."""
    came = Arrival(_SAID, _HEADER, "instances/ab/c.dcm", 42)
    heard = understood(asked(came))
    assert isinstance(heard, Arrival)
    assert heard.header_text == text_of_header(_HEADER)
    assert (heard.announced, heard.header, heard.path, heard.size_bytes) == (_SAID, _HEADER, came.path, 42)


@pytest.mark.parametrize("name", [_HEADER.patient_name, "Yamada^Tarou=山田^太郎", "Doe^Jane", ""])
def test_the_text_of_a_header_is_what_a_row_always_held(name: str) -> None:
    """Whichever way an instance took; in ASCII, which every database stores, and read back as it was."""
    header = replace(_HEADER, patient_name=name)
    text = text_of_header(header)
    assert text.isascii()
    assert json.loads(text) == header_to_json(header)
    assert header_of_text(text) == header


def test_a_caller_a_release_and_a_sign_of_life_are_understood() -> None:
    """The other questions that a receiver has."""
    caller = RefusedAssociation('A "B"', "NODE", "10.0.0.1", "calling AE title not recognised")
    assert understood(asked(caller)) == caller
    released = ReleasedAssociation('A "B"', ("1.2.3", "1.2.4"))
    assert understood(asked(released)) == released
    assert understood(asked(None)) is None
    with pytest.raises(ValueError, match="unknown"):
        understood(b"?")


def test_a_status_comes_back() -> None:
    """As it is answered to the peer."""
    assert outcome(ended(0x0111)) == 0x0111


@pytest.mark.parametrize(
    "error",
    [
        Refused(0xA700, "gone meanwhile"),
        CommitUncertain("lost"),
        DatabaseUnavailable("locked"),
        OperatorError("damaged"),
        OSError(28, "No space left on device"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_raised_as_what_it_was(error: Exception) -> None:
    """What becomes of the file, and what the peer is answered, follows from it."""
    with pytest.raises(type(error)) as raised:
        outcome(ended(None, error))
    assert (type(raised.value), str(raised.value)) == (type(error), str(error))


def test_the_words_of_a_defect_stay_where_it_happened() -> None:
    """They may quote a dataset."""
    answer = ended(None, KeyError("Doe^Jane"))
    assert b"Doe" not in answer
    with pytest.raises(RecordingFailed, match="KeyError"):
        outcome(answer)
