"""UIDs: what is one, and how ours are minted."""

import pytest

from node.domain.identifiers import derived_uid, is_uid


@pytest.mark.parametrize("text", ["1", "1.2.840.10008.1.2", "1.2.03.4", "9" * 64])
def test_numbers_joined_by_dots_are_a_uid(text: str) -> None:
    """The form of PS3.5 9.1, with leading zeros let in."""
    assert is_uid(text)


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "1..2", ".1", "1.", "1.2/../3", "1.2\n", "1.2 ", "1.2a", "９.1", "1" * 65, "../../etc/passwd"],
)
def test_anything_else_is_not_a_uid(text: str) -> None:
    """Nothing that could name another folder passes, nor digits outside ASCII."""
    assert not is_uid(text)


def test_the_same_parts_always_give_the_same_uid() -> None:
    """Doing a thing twice mints nothing new, on any host."""
    assert derived_uid("report", "1.2.3") == derived_uid("report", "1.2.3")
    assert derived_uid("report", "1.2.3") == "2.25.271524799799621972632681741779914120940"


def test_parts_are_told_apart_by_their_borders() -> None:
    """Moving a letter from one part to the next gives another UID."""
    assert derived_uid("a", "bc") != derived_uid("ab", "c")


def test_a_derived_uid_is_a_uid_below_the_uuid_root() -> None:
    """PS3.5 B.2: 2.25 and a UUID as a decimal number."""
    uid = derived_uid("x")
    number = int(uid.removeprefix("2.25."))
    assert is_uid(uid)
    assert number.bit_length() <= 128
    assert number >> 76 & 0xF == 8
    assert number >> 62 & 0x3 == 2
