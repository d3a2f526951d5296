"""A rejection note of our own: a Key Object Selection that takes one of this node's reports back.

It stands in the study of the report, in a series of its own, and names the report alone. Nothing in it is drawn at
random, and its UIDs follow from the report's, so that making it twice is harmless; it names the model's Device UID as
the report does, so that this node knows it when a PACS sends it back.

References
----------
DICOM PS3.3 A.35.4, C.17.6; PS3.16 TID 2010; IHE RAD TF-2, RAD-66 Rejection Note Stored
"""

import io
from datetime import datetime, timedelta, timezone

from highdicom.ko import KeyObjectSelection
from highdicom.sr import DeviceObserverIdentifyingAttributes, ObserverContext
from highdicom.sr.coding import CodedConcept
from pydicom import Dataset, dcmwrite
from pydicom.filereader import read_dataset

from node.dicom.result.object_header import number_at
from node.domain.errors import Permanent
from node.domain.profile import DEFAULT
from node.domain.rejection import KEY_OBJECT_SELECTION, NoteIdentity, RejectionCode, note_identity

_OF_THE_REPORT = (
    "CompletionFlag",
    "VerificationFlag",
    "PerformedProcedureCodeSequence",
    "PredecessorDocumentsSequence",
    "ContentTemplateSequence",
    "SyntheticData",
)


def build_rejection_note(
    taken_back: bytes, code: RejectionCode, why: str, created_at: datetime, report: bytes | None = None
) -> bytes:
    """Return a rejection note as an encoded dataset, Implicit VR Little Endian, without preamble and meta information.

    Parameters
    ----------
    taken_back
        The report that is taken back, or what went beside one, as it was sent: Implicit VR Little Endian.
    code
        Why.
    why
        A sentence for a reader, in ASCII and without patient data.
    created_at
        Aware.
    report
        Of what went beside a report, that report: the note says of patient and study what this says.

    Raises
    ------
    Permanent
        The report is not one of this node's.
    """
    rejected = _read(taken_back)
    whose = rejected if report is None else _read(report)
    note = Dataset()
    note.update({element.tag: element for element in whose if element.keyword not in _OF_THE_REPORT})
    for element in KeyObjectSelection(_title(code), [rejected], None, _observer(whose), why)[0]:
        note[element.tag] = element
    note.ContinuityOfContent = "SEPARATE"
    note.CurrentRequestedProcedureEvidenceSequence = [_evidence(rejected)]
    _add_series(note, note_identity(rejected.SOPInstanceUID, rejected.StudyInstanceUID, code))
    _add_times(note, created_at)
    encoded = io.BytesIO()
    dcmwrite(encoded, note, implicit_vr=True, little_endian=True)
    return encoded.getvalue()


def _read(encoded: bytes) -> Dataset:
    return read_dataset(io.BytesIO(encoded), is_implicit_VR=True, is_little_endian=True)


def _title(code: RejectionCode) -> CodedConcept:
    return CodedConcept(code.value, "DCM", code.meaning)


def _observer(report: Dataset) -> ObserverContext:
    """Return the model as the device that speaks, as the report names it."""
    equipment = next(iter(report.get("ContributingEquipmentSequence", ())), None)
    if equipment is None or not equipment.get("DeviceUID"):
        raise Permanent("the report names no device, so it is none of this node's")
    device = DeviceObserverIdentifyingAttributes(
        uid=equipment.DeviceUID,
        name=equipment.ManufacturerModelName,
        manufacturer_name=equipment.Manufacturer,
        model_name=equipment.ManufacturerModelName,
    )
    return ObserverContext(CodedConcept("121007", "DCM", "Device"), device)


def _evidence(report: Dataset) -> Dataset:
    reference, series, study = Dataset(), Dataset(), Dataset()
    reference.ReferencedSOPClassUID = report.SOPClassUID
    reference.ReferencedSOPInstanceUID = report.SOPInstanceUID
    series.SeriesInstanceUID = report.SeriesInstanceUID
    series.ReferencedSOPSequence = [reference]
    study.StudyInstanceUID = report.StudyInstanceUID
    study.ReferencedSeriesSequence = [series]
    return study


def _add_series(note: Dataset, identity: NoteIdentity) -> None:
    note.SOPClassUID = KEY_OBJECT_SELECTION
    note.SOPInstanceUID = identity.sop_instance_uid
    note.SeriesInstanceUID = identity.series_instance_uid
    note.Modality = "KO"
    note.SeriesNumber = DEFAULT.series_number + 1
    note.SeriesDescription = "AI research results taken back"


def _add_times(note: Dataset, created_at: datetime) -> None:
    """Give the time of the note in the zone of the report: one offset stands for every time of a dataset."""
    offset = str(note.get("TimezoneOffsetFromUTC") or "+0000")
    zone = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5]))
    local = created_at.astimezone(timezone(-zone if offset[0] == "-" else zone))
    note.InstanceCreationDate = note.ContentDate = local.strftime("%Y%m%d")
    note.InstanceCreationTime = note.ContentTime = local.strftime("%H%M%S")
    note.TimezoneOffsetFromUTC = offset
    note.InstanceNumber = number_at(created_at)
