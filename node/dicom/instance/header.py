"""What the node keeps of a dataset without opening it again: its header, from one walk over the raw bytes.

It decodes the few elements that rows, rules and reports need, and never raises for an odd value: what cannot be read
is absent. It knows no database and no model.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from node.dicom.encoding.charset import character_set_terms, clean, decode_text
from node.dicom.encoding.mapped import Scratch, temporary_file
from node.dicom.encoding.structure import Structure, check_structure, structure_of_head
from node.dicom.encoding.tags import CODES
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID, is_uid
from node.domain.instance import InstanceHeader

MAXIMUM_CHARACTERS = 256  #: of each text; a name of three component groups has up to 194 (PS3.5 6.2), an ID 64
MAXIMUM_DEVICE_UIDS = 64

_INTEGER_STRING_MAXIMUM = 2**31 - 1  # PS3.5 6.2, VR IS
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# (0008,0100) in either byte order; a VR and two bytes of length, or four bytes of length; the value
_CODE_VALUE = re.compile(rb"(?:\x08\x00\x00\x01|\x00\x08\x01\x00)[\x00-\xff]{4}([0-9A-Za-z.\-]{1,16})")
_SEQUENCE_ENDS = re.compile(rb"\xfe\xff\xdd\xe0|\xff\xfe\xe0\xdd")
_INTEGER_STRING = re.compile(r"\+?[0-9]{1,12}", re.ASCII)


def inspect(dataset: bytes | memoryview, transfer_syntax_uid: str, scratch: Scratch = temporary_file) -> InstanceHeader:
    """Return the header of a raw dataset; nothing of the dataset is held afterwards, whether or not this raises.

    Parameters
    ----------
    dataset
        The encoded dataset, without preamble and file meta information, such as a view of a memory map.
    transfer_syntax_uid
        Its transfer syntax.
    scratch
        Opens the file that a deflated dataset is inflated into.

    Returns
    -------
    InstanceHeader
        Missing elements, UIDs included, are "". The UIDs are as sent but for their trailing padding, so that
        `is_uid` sees what is wrong with them; all other text is cleaned and cut to `MAXIMUM_CHARACTERS`. In both,
        nothing stands that a database, a log line or a page could stumble over.

    Raises
    ------
    NotParsable
        The bytes are not one whole dataset (see `check_structure`).
    OSError
        The scratch file cannot be written; the only other way in which this fails.
    """
    with check_structure(dataset, transfer_syntax_uid, scratch) as structure:
        return header_of(structure, transfer_syntax_uid)


def inspect_head(head: bytes, size_bytes: int, transfer_syntax_uid: str) -> InstanceHeader | None:
    """Return what `inspect` returns, where the first bytes of a dataset tell it; None where they do not.

    Parameters
    ----------
    head
        The first bytes of the dataset, or all.
    size_bytes
        Of the whole dataset.
    transfer_syntax_uid
        Its transfer syntax.
    """
    structure = structure_of_head(head, size_bytes, transfer_syntax_uid)
    return None if structure is None else header_of(structure, transfer_syntax_uid)


def pixel_bytes(dataset: bytes | memoryview, transfer_syntax_uid: str, scratch: Scratch = temporary_file) -> memoryview:
    """Return the encoded value of the pixel data, empty where there is none; for comparing copies by `same_bytes`.

    It is a view of the dataset or, of a deflated one, of the inflated bytes in a scratch file, which goes with it.

    Raises
    ------
    NotParsable
        The bytes are not one whole dataset.
    OSError
        The scratch file cannot be written.
    """
    structure = check_structure(dataset, transfer_syntax_uid, scratch)
    offset, length = structure.pixels or (0, 0)
    return structure.dataset[offset : offset + length]


def header_of(structure: Structure, transfer_syntax_uid: str) -> InstanceHeader:
    """Return the header that a walk has found."""
    values = _Values(structure)
    return InstanceHeader(
        sop_class_uid=values.uid(0x00080016),
        sop_instance_uid=SOPInstanceUID(values.uid(0x00080018)),
        study_instance_uid=StudyInstanceUID(values.uid(0x0020000D)),
        series_instance_uid=SeriesInstanceUID(values.uid(0x0020000E)),
        transfer_syntax_uid=transfer_syntax_uid,
        patient_id=values.text(0x00100020),
        issuer_of_patient_id=values.text(0x00100021),
        patient_name=values.text(0x00100010),
        patient_birth_date=values.code(0x00100030),
        patient_sex=values.code(0x00100040),
        patient_age=values.code(0x00101010),
        accession_number=values.text(0x00080050),
        study_date=values.code(0x00080020),
        study_time=values.code(0x00080030),
        study_description=values.text(0x00081030),
        series_description=values.text(0x0008103E),
        modality=values.code(0x00080060),
        body_part_examined=values.code(0x00180015),
        view_position=values.code(0x00185101),
        series_number=values.code(0x00200011),
        instance_number=values.code(0x00200013),
        manufacturer=values.text(0x00080070),
        institution_name=values.text(0x00080080),
        image_type=values.codes(0x00080008),
        presentation_intent=values.code(0x00080068),
        rows=values.unsigned_short(0x00280010),
        columns=values.unsigned_short(0x00280011),
        number_of_frames=values.integer_string(0x00280008, default=1),
        has_pixels=structure.pixels is not None,
        synthetic=values.code(0x0008001C) == "YES",
        device_uids=_device_uids(structure),
        derivation_codes=_codes_of(structure),
        equipment_manufacturers=values.texts(structure.manufacturers),
    )


class _Values:
    """The wanted values of one dataset, decoded as they are asked for."""

    def __init__(self, structure: Structure) -> None:
        self._values = structure.values
        self._byte_order = structure.encoding.byte_order
        self._terms = character_set_terms(structure.values.get(0x00080005, b""))

    def uid(self, tag: int) -> str:
        text = self._values.get(tag, b"").decode("latin_1").rstrip("\0 ")
        return text if text.isprintable() else _UNPRINTABLE.sub("\ufffd", text)

    def text(self, tag: int) -> str:
        raw = self._values.get(tag)
        return decode_text(raw, self._terms)[:MAXIMUM_CHARACTERS] if raw else ""

    def texts(self, raw: Iterable[bytes]) -> tuple[str, ...]:
        return tuple(decode_text(value, self._terms)[:MAXIMUM_CHARACTERS] for value in raw)

    def code(self, tag: int) -> str:
        """Return a code string, a date, a time or an age: in upper case, as the Standard asks and not all send."""
        raw = self._values.get(tag)
        return _code(raw) if raw else ""

    def codes(self, tag: int) -> tuple[str, ...]:
        text = self.code(tag)
        return tuple(part.strip() for part in text.split("\\")) if text else ()

    def unsigned_short(self, tag: int) -> int:
        raw = self._values.get(tag, b"")
        return int.from_bytes(raw, self._byte_order) if len(raw) == 2 else 0

    def integer_string(self, tag: int, default: int) -> int:
        text = self.code(tag)
        number = int(text) if _INTEGER_STRING.fullmatch(text) else default
        return number if 1 <= number <= _INTEGER_STRING_MAXIMUM else default


@lru_cache(maxsize=256)  # most stand in every image of a study
def _code(raw: bytes) -> str:
    return clean(raw.decode("latin_1")).upper()[:MAXIMUM_CHARACTERS]


def _codes_of(structure: Structure) -> tuple[str, ...]:
    """Return the Code Values of the sequences that say how an image was derived, found in their raw bytes."""
    found: dict[str, None] = {}
    for tag in sorted(CODES & structure.values.keys()):
        raw, *_ = _SEQUENCE_ENDS.split(structure.values[tag], maxsplit=1)
        found |= dict.fromkeys(match.decode("ascii") for match in _CODE_VALUE.findall(raw))
    return tuple(found)


def _device_uids(structure: Structure) -> tuple[str, ...]:
    if not structure.device_uids:
        return ()
    texts = (raw.decode("latin_1") for raw in structure.device_uids)
    uids = (part.strip("\0 ") for text in texts for part in text.split("\\"))
    return tuple(dict.fromkeys(uid for uid in uids if is_uid(uid)))[:MAXIMUM_DEVICE_UIDS]
