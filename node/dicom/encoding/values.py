"""Values made to fit their VR, or found not to.

It knows the value representations of DICOM PS3.5 6.2, and of elements only which have a fixed set of values.
"""

import math
import re
import unicodedata
from collections.abc import Callable
from datetime import date

from pydicom.datadict import dictionary_VM

from node.dicom.encoding.charset import decode_text
from node.domain.identifiers import is_uid

SHORT_STRING, LONG_STRING, NAME_COMPONENT_GROUP = 16, 64, 64  #: characters

_TIME = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9]([0-5][0-9](\.[0-9]{1,6})?)?)?", re.ASCII)
_DATE_TIME = re.compile(r"[0-9]{8}([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9](\.[0-9]{1,6})?([+-][0-9]{4})?", re.ASCII)
_AGE = re.compile(r"[0-9]{3}[DWMY]", re.ASCII)
_CODE_STRING = re.compile(r"[A-Z0-9 _]{1,16}", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,11}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([Ee][+-]?[0-9]+)?", re.ASCII)
_DECIMAL_CHARACTERS = 16
_MOST_CHARACTERS = {"SH": SHORT_STRING, "LO": LONG_STRING, "ST": 1024, "LT": 10240, "UC": 1 << 16, "UT": 1 << 16}
_NEVER_PARTED = frozenset({"ST", "LT", "UT"})  # a backslash is a character of these
_LINE_BREAK = re.compile(rb"\r?\n|\r")
_LINE_CONTROLS = {ord(control): None for control in "\t\n\f\r"}
_LOCATOR = re.compile(r"[!-\[\]-~]+", re.ASCII)
_IDENTIFYING = ("ID", "IDs", "Value", "Version", "Designator", "Type", "Code", "Number", "NumberImagingServiceRequest")
_ENUMERATED: dict[str, set[str]] = {
    "ImageLaterality": {"R", "L", "U", "B"},
    "Laterality": {"R", "L"},
    "LossyImageCompression": {"00", "01"},
    "PatientIdentityRemoved": {"YES", "NO"},
    "QualityControlSubject": {"YES", "NO"},
    "SmokingStatus": {"YES", "NO", "UNKNOWN"},
    "TypeOfPatientID": {"TEXT", "RFID", "BARCODE"},
    "UniversalEntityIDType": {"DNS", "EUI64", "ISO", "URI", "UUID", "X400", "X500"},
    "PregnancyStatus": {"1", "2", "3", "4"},
}

Value = str | int | list[str]


def fitting(keyword: str, vr: str, raw: bytes, terms: tuple[str, ...]) -> Value | None:
    """Return the value of a plain element, or None where it is empty or does not fit.

    Parameters
    ----------
    keyword, vr
        Of the element, as the Standard's dictionary has them.
    raw
        The bytes of the value, numbers little-endian.
    terms
        Specific Character Set of the dataset that it stands in.
    """
    if vr == "US":
        number = int.from_bytes(raw[:2], "little")
        return number if len(raw) == 2 and _is_listed(keyword, str(number)) else None
    if vr in _NEVER_PARTED:
        return _fitting_text(keyword, vr, _lines(raw, terms)) or None
    text = decode_text(raw, terms)
    values = [_fitting_text(keyword, vr, value.strip(" ")) for value in text.split("\\")]
    if not all(values) or (len(values) > 1 and dictionary_VM(keyword) == "1"):
        return None
    return values[0] if len(values) == 1 else values


def _lines(raw: bytes, terms: tuple[str, ...]) -> str:
    """Return a text with its line breaks, which decoding takes out as it does other control characters."""
    return "\r\n".join(decode_text(line, terms) for line in _LINE_BREAK.split(raw)).strip()


def _fitting_text(keyword: str, vr: str, text: str) -> str:
    if vr == "PN":
        return person_name(text)
    if vr in _MOST_CHARACTERS:
        # a cut identifier would be another one
        fits = len(text) <= _MOST_CHARACTERS[vr] or not keyword.endswith(_IDENTIFYING)
        return text[: _MOST_CHARACTERS[vr]].rstrip() if fits else ""
    return text if _is_valid(vr, text) and _is_listed(keyword, text) else ""


def _is_listed(keyword: str, text: str) -> bool:
    return text in _ENUMERATED.get(keyword, {text})


def _is_valid(vr: str, text: str) -> bool:
    """Say whether a text is a value of a VR that has a form; of no other VR is anything copied."""
    check = _CHECKS.get(vr)
    return check is not None and check(text)


def is_value(vr: str, text: str) -> bool:
    """Say whether a text is one value of a VR of characters, without padding (PS3.5 6.2)."""
    if vr == "PN":
        return person_name(text) == text and text.isprintable()
    if vr not in _MOST_CHARACTERS:
        return _is_valid(vr, text)
    lines = text.translate(_LINE_CONTROLS) if vr in _NEVER_PARTED else text
    return len(text) <= _MOST_CHARACTERS[vr] and not any(unicodedata.category(one) == "Cc" for one in lines)


def person_name(name: str) -> str:
    """Return a name that fits VR PN: at most three component groups of five components and 64 characters."""
    groups = ("^".join(group.split("^")[:5]) for group in name.replace("\\", " ").split("=")[:3])
    return "=".join(group[:NAME_COMPONENT_GROUP].rstrip() for group in groups).rstrip("=")


def cut(text: str, characters: int) -> str:
    """Return the beginning of a text, without what would part the value into two (PS3.5 6.2)."""
    return text.replace("\\", "/")[:characters].rstrip()


def date_of(text: str) -> str:
    """Return a date of VR DA as it is, or "" where it is none."""
    try:
        return text if date.fromisoformat(text) and len(text) == 8 and text.isdigit() else ""
    except ValueError:
        return ""


def is_time(text: str) -> bool:
    """Say whether a text is a time of VR TM."""
    return bool(_TIME.fullmatch(text))


def is_age(text: str) -> bool:
    """Say whether a text is an age of VR AS."""
    return bool(_AGE.fullmatch(text))


def _is_integer(text: str) -> bool:
    return bool(_INTEGER.fullmatch(text)) and -(1 << 31) <= int(text) < 1 << 31


def _is_decimal(text: str) -> bool:
    return len(text) <= _DECIMAL_CHARACTERS and bool(_DECIMAL.fullmatch(text)) and math.isfinite(float(text))


_CHECKS: dict[str, Callable[[str], bool]] = {
    "CS": lambda text: bool(_CODE_STRING.fullmatch(text)),
    "AS": is_age,
    "DA": lambda text: bool(date_of(text)),
    "DT": lambda text: bool(_DATE_TIME.fullmatch(text)) and bool(date_of(text[:8])),
    "TM": is_time,
    "UI": is_uid,
    "IS": _is_integer,
    "DS": _is_decimal,
    "UR": lambda text: bool(_LOCATOR.fullmatch(text)),
}
