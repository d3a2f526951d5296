"""One report in several SOP classes: the tree is built and encoded once, and only the two UIDs of the form differ.

What Comprehensive 3D SR, Comprehensive SR and Enhanced SR each allow is wider than what a report holds, so that one
tree is valid as all of them; tests hold each form to the validators.

References
----------
DICOM PS3.3 A.35.2 (Enhanced SR), A.35.3 (Comprehensive SR), A.35.13 (Comprehensive 3D SR); PS3.5 7.1.3 (Implicit VR)
"""

import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from node.dicom.check.encoded_object import check_object
from node.dicom.report.build import build_report
from node.domain.instance import InstanceHeader
from node.domain.report import ReportContent, ReportIdentity

_SOP_CLASS_UID, _SOP_INSTANCE_UID = (0x0008, 0x0016), (0x0008, 0x0018)


def build_forms(
    content: ReportContent, identities: Sequence[ReportIdentity], sources: Sequence[Path | InstanceHeader]
) -> list[bytes]:
    """Return a report in each of these forms, encoded as `node.dicom.report.build.build_report` does, with its errors.

    Parameters
    ----------
    content
        What the report says.
    identities
        The forms' UIDs; at least one.
    sources
        As for `build_report`.
    """
    # no document precedes itself, nor another form of itself
    own = {identity.sop_instance_uid for identity in identities}
    others = tuple(one for one in content.predecessors if one.sop_instance_uid not in own)
    first = build_report(replace(content, predecessors=others), identities[0], sources)
    return [first, *(_as(identity, first) for identity in identities[1:])]


def _as(identity: ReportIdentity, encoded: bytes) -> bytes:
    """Return an encoded and checked dataset under other UIDs, which stand among its first elements.

    What follows them is the same bytes, so that only the elements up to them are looked at again.
    """
    values = {_SOP_CLASS_UID: identity.sop_class_uid, _SOP_INSTANCE_UID: identity.sop_instance_uid}
    pieces, position = list[bytes](), 0
    while values:
        group, number, length = struct.unpack_from("<HHL", encoded, position)
        end = position + 8 + length
        uid = values.pop((group, number), None)
        pieces.append(encoded[position:end] if uid is None else _uid_element(group, number, uid))
        position = end
    first_elements = b"".join(pieces)
    check_object(first_elements)
    return first_elements + encoded[position:]


def _uid_element(group: int, number: int, uid: str) -> bytes:
    value = uid.encode("ascii")
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHL", group, number, len(value)) + value
