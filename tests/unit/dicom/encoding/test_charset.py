"""Text in its character set, whatever was sent."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread

from node.dicom.encoding.charset import character_set_terms, clean, decode_text
from node.dicom.instance.header import inspect
from node.dicom.instance.part10 import read_part10


@pytest.mark.parametrize(
    ("raw", "terms", "text"),
    [
        (b"Doe^Jane ", (), "Doe^Jane"),
        ("Müller".encode("latin_1"), ("ISO_IR 100",), "Müller"),
        ("王^小东".encode(), ("ISO_IR 192",), "王^小东"),
        ("王^小东".encode("gb18030"), ("GB18030",), "王^小东"),
        ("王^小东".encode("gbk"), ("GBK",), "王^小东"),
        (b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", ("", "ISO 2022 IR 87"), "Yamada^Tarou=山田^太郎"),
        (b"Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", ("", "ISO 2022 IR 149"), "Hong=洪^吉洞"),
        (b"\x1b$)A\xcd\xf5", ("", "ISO 2022 IR 58"), "王"),
        ("王".encode(), (), "王"),
        (b"M\xfcller", (), "Müller"),
        (b"M\xfcller", ("NO_SUCH_SET",), "Müller"),
        (b"a\xffb", ("ISO_IR 192",), "a\ufffdb"),
        (b"\x1b%Gnothing known", ("", "ISO 2022 IR 87"), ""),
    ],
)
def test_text_is_decoded_by_its_character_set(raw: bytes, terms: tuple[str, ...], text: str) -> None:
    """Declared, undeclared, unknown and broken ones."""
    assert decode_text(raw, terms) == text


@pytest.mark.parametrize(
    ("raw", "terms"),
    [
        (b"ISO_IR 100", ("ISO_IR 100",)),
        (b"\\ISO 2022 IR 87", ("", "ISO 2022 IR 87")),
        (b"ISO_IR 192\0", ("ISO_IR 192",)),
        (b"  ", ()),
        (b"", ()),
    ],
)
def test_the_character_set_is_a_list_of_terms(raw: bytes, terms: tuple[str, ...]) -> None:
    """An empty first value stands for the default repertoire."""
    assert character_set_terms(raw) == terms


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\0b\r\nc\x1b[31m", "abc[31m"),
        ("\u202eevil\u2028", "evil"),
        ("  padded \0", "padded"),
        ("山田\u3000太郎", "山田\u3000太郎"),
        ("\ud800", ""),
    ],
)
def test_text_is_made_safe_for_logs_pages_and_databases(text: str, cleaned: str) -> None:
    """Control characters, line separators, surrogates and changes of direction go; an ideographic space stays."""
    assert clean(text) == cleaned


@given(
    st.binary(max_size=64), st.lists(st.sampled_from(["", "ISO 2022 IR 87", "GB18030", "ISO_IR 192", "x"]), max_size=3)
)
def test_no_bytes_raise(raw: bytes, terms: list[str]) -> None:
    """Whatever was sent, there is some text, and it can be stored."""
    text = decode_text(raw, tuple(terms))
    assert "\0" not in text
    text.encode()


def test_pydicoms_own_files_are_read_as_pydicom_reads_them(pydicom_files: Path) -> None:
    """Arabic, Hebrew, Greek, Russian, Thai, Korean, Chinese and Japanese names, with and without code extensions."""
    compared = 0
    for path in sorted((pydicom_files / "charset_files").glob("*.dcm")):
        part10 = read_part10(path)
        header = inspect(part10.dataset, part10.transfer_syntax_uid)
        expected = dcmread(path).get("PatientName", "")
        assert header.patient_name.rstrip("=") == clean(str(expected)).rstrip("=")
        compared += bool(header.patient_name)
    assert compared >= 15
