"""The source images of a report, as far as a report copies from them.

Everything is read from the raw bytes by the same walk that received them, so that an odd character set or a broken
value in a source can never keep its report from being written.
"""

import io
import re
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.filereader import read_dataset

from node.dicom.charset import character_set_terms, clean, decode_text
from node.dicom.encoding import NotParsable
from node.dicom.header import header_of
from node.dicom.part10 import NotPart10, read_part10
from node.dicom.structure import Structure, check_structure
from node.domain.errors import Permanent
from node.domain.finding import Code
from node.domain.instance import InstanceHeader

_PROCEDURE_CODE_SEQUENCE = 0x00081032
_OFFSET = re.compile(r"[+-](0\d|1[0-4])[0-5]\d", re.ASCII)

# what pydicom is seen to raise for sequences that are not what they say
_UNREADABLE = (ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Source:
    """One source image."""

    header: InstanceHeader
    character_set: tuple[str, ...]  #: its (0008,0005) Specific Character Set
    referring_physician_name: str
    study_id: str
    timezone_offset: str  #: (0008,0201), such as +0800; "" where it is absent or malformed
    procedure_codes: tuple[Code, ...]


def read_source(path: Path) -> Source:
    """Read what a report copies from a stored file.

    Raises
    ------
    Permanent
        The file is not a DICOM file any more, or its dataset cannot be walked.
    OSError
        The file cannot be read.
    """
    try:
        part10 = read_part10(path)
        structure = check_structure(part10.dataset, part10.transfer_syntax_uid)
    except (NotPart10, NotParsable) as reason:
        raise Permanent(f"a source image cannot be parsed: {reason}") from reason
    terms = character_set_terms(structure.values.get(0x00080005, b""))
    offset = clean(structure.values.get(0x00080201, b"").decode("latin_1"))
    return Source(
        header=header_of(structure, part10.transfer_syntax_uid),
        character_set=terms,
        referring_physician_name=decode_text(structure.values.get(0x00080090, b""), terms),
        study_id=decode_text(structure.values.get(0x00200010, b""), terms),
        timezone_offset=offset if _OFFSET.fullmatch(offset) else "",
        procedure_codes=_procedure_codes(structure, terms),
    )


def _procedure_codes(structure: Structure, terms: tuple[str, ...]) -> tuple[Code, ...]:
    """Return the codes of (0008,1032) Procedure Code Sequence that are whole; a broken one is left out."""
    try:
        dataset = read_dataset(
            io.BytesIO(structure.dataset),
            structure.encoding.implicit,
            not structure.encoding.big_endian,
            stop_when=lambda tag, _vr, _length: tag > _PROCEDURE_CODE_SEQUENCE,
            specific_tags=[_PROCEDURE_CODE_SEQUENCE],
        )
        items = list(dataset.get("ProcedureCodeSequence") or ())
        codes = [_code(item, terms) for item in items]
    except _UNREADABLE:
        return ()
    return tuple(code for code in codes if code.value and code.scheme and code.meaning)


def _code(item: Dataset, terms: tuple[str, ...]) -> Code:
    value, scheme, meaning = (
        _text(item, keyword, terms) for keyword in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
    )
    return Code(value, scheme, meaning)


def _text(item: Dataset, keyword: str, terms: tuple[str, ...]) -> str:
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in item:
        return ""
    value = item.get_item(tag).value  # raw: not decoded by pydicom yet
    return decode_text(value, terms) if isinstance(value, bytes) else clean(str(value or ""))
