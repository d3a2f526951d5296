"""Key Object Selections read: whether they take something back, and what."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sr import CodedConcept
from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset

from node.dicom.companions.rejection_note import build_rejection_note
from node.dicom.documents.key_objects import read_key_objects
from node.dicom.instance.part10 import preamble_and_meta
from node.domain.errors import Permanent
from node.domain.rejection import KEY_OBJECT_SELECTION, KeyObjects, RejectionCode, note_identity
from tests.support.objects.notes import code, file_of, key_objects
from tests.support.objects.studies import IMPLICIT_VR_LITTLE_ENDIAN, MODEL, study_of

NAMED = ["1.2.3.1.1", "1.2.3.1.2"]


def _read(folder: Path, dataset: Dataset) -> KeyObjects:
    path = folder / "note.dcm"
    path.write_bytes(file_of(dataset))
    return read_key_objects(path)


def _uids(said: KeyObjects) -> list[str]:
    return [one.sop_instance_uid for one in said.named]


@pytest.mark.parametrize("title", RejectionCode)
def test_each_of_the_four_titles_makes_a_rejection_note(tmp_path: Path, title: RejectionCode) -> None:
    """With what it names, in its order, and the studies."""
    said = _read(tmp_path, key_objects(code(title.value), NAMED))
    assert (said.code, _uids(said)) == (title, NAMED)
    assert {one.study_instance_uid for one in said.named} == {"1.2.3"}


@pytest.mark.parametrize("where", ["in_evidence", "in_content"])
def test_instances_named_at_one_place_alone_are_named(tmp_path: Path, where: str) -> None:
    """Some programs fill only the evidence, and some only the content."""
    places = {"in_evidence": False, "in_content": False} | {where: True}
    assert _uids(_read(tmp_path, key_objects(code("113001"), NAMED, **places))) == NAMED


def test_instances_named_inside_of_containers_are_named(tmp_path: Path) -> None:
    """Content is a tree."""
    dataset = key_objects(code("113001"), NAMED, in_evidence=False)
    container = Dataset()
    container.RelationshipType, container.ValueType = "CONTAINS", "CONTAINER"
    container.ContentSequence = dataset.ContentSequence
    dataset.ContentSequence = [container]
    assert _uids(_read(tmp_path, dataset)) == NAMED


@pytest.mark.parametrize(
    "title",
    [code("113000"), code("113010"), code("113001", scheme="99OURS"), Dataset()],
    ids=["of interest", "quality issue", "another scheme", "no code"],
)
def test_another_title_is_no_rejection_note(tmp_path: Path, title: Dataset) -> None:
    """It moves nothing, whatever it names."""
    assert _read(tmp_path, key_objects(title, NAMED)) == KeyObjects(None, ())


def _without_references(dataset: Dataset) -> None:
    del dataset.CurrentRequestedProcedureEvidenceSequence, dataset.ContentSequence


def _with_a_name_for_a_uid(dataset: Dataset) -> None:
    dataset.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1..2"


def _with_text_for_sequences(dataset: Dataset) -> None:
    _without_references(dataset)
    dataset.add_new(0x0040A375, "LO", "no sequence")
    dataset.add_new(0x0040A730, "LO", "no sequence")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("spoil", [_without_references, _with_a_name_for_a_uid, _with_text_for_sequences])
def test_a_malformed_note_is_refused_with_a_reason(tmp_path: Path, spoil: Callable[[Dataset], None]) -> None:
    """No instance, or one that cannot be."""
    dataset = key_objects(code("113038"), NAMED)
    spoil(dataset)
    with pytest.raises(Permanent, match=r"names no instance|UID is none"):
        _read(tmp_path, dataset)


def test_a_note_that_ends_early_is_refused(tmp_path: Path) -> None:
    """As one that cannot be parsed."""
    path = tmp_path / "note.dcm"
    path.write_bytes(file_of(key_objects(code("113038"), NAMED))[:-7])
    with pytest.raises(Permanent, match="cannot be parsed"):
        read_key_objects(path)


def test_a_note_of_highdicom_is_read(tmp_path: Path) -> None:
    """Of images that it was handed."""
    images = [dcmread(path) for path in study_of(tmp_path, "two images").sources]
    content = KeyObjectSelection(CodedConcept("113038", "DCM", "Incorrect Modality Worklist Entry"), images)
    note = KeyObjectSelectionDocument(images, content, "1.2.5", 1, "1.2.6", 1, manufacturer="somebody")
    note.save_as(tmp_path / "note.dcm")
    said = read_key_objects(tmp_path / "note.dcm")
    assert said.code is RejectionCode.WORKLIST
    assert sorted(_uids(said)) == sorted(image.SOPInstanceUID for image in images)


def test_our_own_note_names_the_report_alone_and_says_who_speaks(tmp_path: Path) -> None:
    """In the report's study and the model's name; made twice it is the same."""
    study = study_of(tmp_path, "positive", "ISO_IR 192")
    made = [
        build_rejection_note(study.report(), RejectionCode.PATIENT_SAFETY, "Why.", datetime(2026, 11, 22, tzinfo=UTC))
        for _ in range(2)
    ]
    assert made[0] == made[1]
    identity = note_identity(study.identity.sop_instance_uid, study.content.study_instance_uid, RejectionCode("113037"))
    path = tmp_path / "note.dcm"
    meta = preamble_and_meta(KEY_OBJECT_SELECTION, identity.sop_instance_uid, IMPLICIT_VR_LITTLE_ENDIAN)
    path.write_bytes(meta + made[0])
    assert _uids(read_key_objects(path)) == [study.identity.sop_instance_uid]
    note = read_dataset(io.BytesIO(made[0]), is_implicit_VR=True, is_little_endian=True)
    assert (note.SOPInstanceUID, note.SeriesInstanceUID) == (identity.sop_instance_uid, identity.series_instance_uid)
    assert note.StudyInstanceUID == study.content.study_instance_uid
    assert note.ContributingEquipmentSequence[0].DeviceUID == MODEL.device_uid
    assert str(note.PatientName) == "Wang^XiaoDong=王^小东"
    assert "CompletionFlag" not in note
