"""Files as containers: what stands before the dataset, put on and taken off."""

import contextlib
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread, dcmwrite
from pydicom.filereader import read_dataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from node.dicom.instance.part10 import (
    IMPLEMENTATION_CLASS_UID,
    NotPart10,
    file_meta,
    part10_of,
    preamble_and_meta,
    read_part10,
)
from tests.unit.dicom.raw import EXPLICIT, SMALL, explicit

_CLASS, _INSTANCE = "1.2.840.10008.5.1.4.1.1.7", "1.2.3.4"
_META = preamble_and_meta(_CLASS, _INSTANCE, EXPLICIT, "SCANNER")


def test_our_meta_information_is_read_by_pydicom() -> None:
    """Its group length is right and every value is there."""
    meta = dcmread(io.BytesIO(_META + SMALL)).file_meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (_CLASS, _INSTANCE)
    assert meta.TransferSyntaxUID == EXPLICIT
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert (meta.ImplementationVersionName, meta.SourceApplicationEntityTitle) == ("PACSNODE_0_1", "SCANNER")
    assert meta.FileMetaInformationGroupLength == len(_META) - 144


def test_a_file_comes_apart_into_what_it_was_put_together_from(tmp_path: Path) -> None:
    """The dataset is the same bytes."""
    path = tmp_path / "file.dcm"
    path.write_bytes(_META + SMALL)
    part10 = read_part10(path)
    assert (part10.sop_class_uid, part10.sop_instance_uid, part10.transfer_syntax_uid) == (_CLASS, _INSTANCE, EXPLICIT)
    assert part10.dataset == SMALL


def test_the_meta_information_alone_says_who_sent_the_dataset_and_where_it_begins() -> None:
    """And how the dataset is encoded; without an AE title it says none."""
    before = preamble_and_meta("1.2.840.10008.5.1.4.1.1.2", "1.2.3", EXPLICIT, "CT 1")
    meta = file_meta(before + SMALL)
    assert (meta.transfer_syntax_uid, meta.source_ae_title, meta.end) == (EXPLICIT, "CT 1", len(before))
    assert not file_meta(preamble_and_meta("1.2", "1.2.3", EXPLICIT)).source_ae_title


@pytest.mark.parametrize("head", [b"", SMALL, preamble_and_meta("1.2", "1.2.3", EXPLICIT)[:200]])
def test_a_file_without_whole_meta_information_of_ours_is_said_to_have_none(head: bytes) -> None:
    """A bare dataset, and one that ends too early."""
    with pytest.raises(NotPart10):
        file_meta(head)


def test_elements_of_group_0002_in_a_dataset_stay_in_it() -> None:
    """Some senders put them there, and a stored dataset is given back bit for bit."""
    dataset = explicit(0x00020010, b"UI", b"1.2.840.10008.1.2\0") + SMALL
    assert part10_of(_META + dataset).dataset == dataset


def test_a_wrong_group_length_is_not_believed() -> None:
    """Then the group ends with its last element."""
    wrong = _META[:140] + (7).to_bytes(4, "little") + _META[144:]
    assert part10_of(wrong + SMALL).dataset == SMALL


def test_uids_that_the_meta_information_lacks_come_from_the_dataset() -> None:
    """Old files leave them out."""
    bare = bytes(128) + b"DICM" + explicit(0x00020010, b"UI", EXPLICIT.encode() + b"\0")
    part10 = part10_of(bare + SMALL)
    assert (part10.sop_class_uid, part10.sop_instance_uid) == (_CLASS, _INSTANCE)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        SMALL[:-5],
        bytes(132) + SMALL,
        _META[:150],
        bytes(128) + b"DICM",
        bytes(128) + b"DICM" + explicit(0x00020010, b"UI", EXPLICIT.encode() + b"\0") + SMALL[:-5],
        bytes(128) + b"DICM" + explicit(0x00020010, b"UI", EXPLICIT.encode() + b"\0") + SMALL[60:],
    ],
)
def test_what_is_no_dicom_file_is_said_to_be_none(data: bytes) -> None:
    """No whole dataset in any encoding, meta information cut short, UIDs nowhere."""
    with pytest.raises(NotPart10):
        part10_of(data)


@pytest.mark.parametrize("before", [b"", bytes(128) + b"DICM", explicit(0x00020002, b"UI", _CLASS.encode() + b"\0")])
def test_a_dataset_that_is_not_named_tells_its_encoding_itself(before: bytes) -> None:
    """Without anything before it, or with meta information that names no transfer syntax."""
    assert part10_of(before + SMALL).transfer_syntax_uid == EXPLICIT


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_a_bare_dataset_is_read_in_the_encoding_that_it_is_in(syntax: UID) -> None:
    """In each of the three that the pixels may be plain in."""
    dataset, encoded = read_dataset(io.BytesIO(SMALL), is_implicit_VR=False, is_little_endian=True), io.BytesIO()
    dcmwrite(encoded, dataset, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)
    part10 = part10_of(encoded.getvalue())
    assert (part10.transfer_syntax_uid, part10.sop_instance_uid) == (syntax, _INSTANCE)


def test_compressed_pixels_without_a_transfer_syntax_are_refused() -> None:
    """Their bytes do not tell how they were compressed."""
    fragments = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\2\0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    with pytest.raises(NotPart10, match="do not tell"):
        part10_of(SMALL + fragments)


def test_a_calling_ae_title_is_cut_to_what_fits() -> None:
    """A long or non-ASCII title spoils no file."""
    meta = preamble_and_meta(_CLASS, _INSTANCE, EXPLICIT, "A" * 20 + "é")
    assert dcmread(io.BytesIO(meta + SMALL)).file_meta.SourceApplicationEntityTitle == "A" * 16


@given(st.binary(max_size=120))
def test_no_bytes_raise_anything_but_not_part10(noise: bytes) -> None:
    """Neither alone, nor where meta information or a dataset should stand."""
    for data in (noise, bytes(128) + b"DICM" + noise, _META + noise, _META[:-20] + noise):
        with contextlib.suppress(NotPart10):
            part10_of(data)
