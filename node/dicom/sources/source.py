"""The source images of a report, as far as a report copies from them.

Everything is read from the raw bytes by the same walk that received them, so that an odd character set or a broken
value in a source can never keep its report from being written.
"""

import re
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom import Dataset

from node.dicom.encoding.charset import character_set_terms, clean, decode_text
from node.dicom.encoding.structure import Structure, check_structure
from node.dicom.encoding.transfer_syntax import NotParsable
from node.dicom.instance.header import header_of
from node.dicom.instance.part10 import NotPart10, opened_part10
from node.dicom.sources.copied import copied_modules
from node.domain.errors import Permanent
from node.domain.instance import InstanceHeader
from node.domain.patient import Patient, as_patient

_OFFSET = re.compile(r"[+-](0\d|1[0-4])[0-5]\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """One source image."""

    header: InstanceHeader
    character_set: tuple[str, ...]  #: its (0008,0005) Specific Character Set
    referring_physician_name: str
    study_id: str
    timezone_offset: str  #: (0008,0201), such as +0800; "" where it is absent or malformed
    modules: Dataset  #: the rest of its Patient, Clinical Trial and Study modules, as far as it is valid
    frame: int | None = None  #: which of its frames is meant, from 1; None: the image as a whole


def source_of(image: Path | InstanceHeader) -> Source:
    """Return what a report copies from an image: from its file, or, where only its header is kept, from that.

    Raises
    ------
    Permanent, OSError
        As `read_source`.
    """
    return read_source(image) if isinstance(image, Path) else Source(image, (), "", "", "", Dataset())


def of_patient(source: Source, patient: Patient) -> Source:
    """Return a source as an image of the patient as whom its own one counts, without what tells of the old ID."""
    modules = deepcopy(source.modules)
    for keyword in ("TypeOfPatientID", "IssuerOfPatientIDQualifiersSequence"):
        if keyword in modules:
            delattr(modules, keyword)
    return replace(source, header=as_patient(source.header, patient), modules=modules)


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
        with opened_part10(path) as part10, check_structure(part10.dataset, part10.transfer_syntax_uid) as structure:
            return _source(structure, part10.transfer_syntax_uid)
    except (NotPart10, NotParsable) as reason:
        raise Permanent(f"a source image cannot be parsed: {reason}") from reason


def _source(structure: Structure, transfer_syntax_uid: str) -> Source:
    terms = character_set_terms(structure.values.get(0x00080005, b""))
    offset = clean(structure.values.get(0x00080201, b"").decode("latin_1"))
    return Source(
        header=header_of(structure, transfer_syntax_uid),
        character_set=terms,
        referring_physician_name=decode_text(structure.values.get(0x00080090, b""), terms),
        study_id=decode_text(structure.values.get(0x00200010, b""), terms),
        timezone_offset=offset if _OFFSET.fullmatch(offset) else "",
        modules=copied_modules(structure, terms),
    )
