"""Studies with readings, and the reports made of them."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.uid import UltrasoundMultiFrameImageStorage

from node.dicom.instance.header import inspect
from node.dicom.instance.part10 import preamble_and_meta, read_part10
from node.dicom.report.build import build_report
from node.dicom.samples.wrap import Subject, wrap_as_dx
from node.domain.aggregate import aggregated, in_one
from node.domain.finding import Admission, Anomaly, Cause, Code, Finding, FrameReading, Outcome, Reading
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID, derived_uid
from node.domain.instance import InstanceHeader
from node.domain.report import ModelClass, ModelIdentity, ReportContent, ReportIdentity, report_identity

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"

PNEUMONIA = Code("233604007", "SCT", "Pneumonia")
LUNG = Code("39607008", "SCT", "Lung")
OUTSIDE_LIMITS = Code("128619", "DCM", "Outside operational limits of the device")
MODEL = ModelIdentity(
    "starter",
    "1.0.0",
    derived_uid("device", "starter", "1.0.0"),
    weights_digest="ab" * 32,
    classes=(ModelClass("pneumonia", PNEUMONIA, LUNG, 0.5),),
)
CREATED_AT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)

NAMES = {
    "": "Doe^Jane",
    "ISO_IR 100": "Müller^Jörg",
    "ISO_IR 192": "Wang^XiaoDong=王^小东",
    "GB18030": "Wang^XiaoDong=王^小东",
}


def read_as(said: float | Code | None) -> Reading:
    """Return a reading of an image still to be named: a probability, why it was refused, or None where it failed."""
    if said is None:
        sentence = "The pixels cannot be decoded: its pixel data is truncated."
        return Reading(SOPInstanceUID(""), Admission(False, None, sentence, cause=Cause.UNDECODABLE))
    if isinstance(said, Code):
        sentence = "The image is unlike the chest radiographs that the model knows."
        return Reading(SOPInstanceUID(""), Admission(False, said, sentence, 9.0, 3.0, Cause.OUTSIDE_LIMITS))
    finding = Finding("pneumonia", PNEUMONIA, LUNG, said, 0.5)
    return Reading(SOPInstanceUID(""), Admission(True), (finding,), Anomaly(2.31, 98.7))


CASES: dict[str, tuple[Outcome, list[float | Code | None]]] = {
    "positive": (Outcome.POSITIVE, [0.873]),
    "negative": (Outcome.NEGATIVE, [0.04]),
    "not assessed": (Outcome.NOT_ASSESSED, [OUTSIDE_LIMITS]),
    "failed": (Outcome.NOT_ASSESSED, [None]),
    "two images": (Outcome.POSITIVE, [0.9, 0.1]),
    "one of two images": (Outcome.NEGATIVE, [0.1, OUTSIDE_LIMITS]),
    "predecessor": (Outcome.POSITIVE, [0.9]),
}


@dataclass(frozen=True, slots=True)
class Study:
    """A study on disk, and what was read of it."""

    content: ReportContent
    identity: ReportIdentity
    sources: list[Path | InstanceHeader]

    def report(self) -> bytes:
        """Return the encoded report."""
        return build_report(self.content, self.identity, self.sources)

    def report_file(self, folder: Path) -> Path:
        """Write the report as a file and return its path."""
        uid = self.identity.sop_instance_uid
        path = folder / f"report-{uid[-8:]}.dcm"
        path.write_bytes(preamble_and_meta(COMPREHENSIVE_3D_SR, uid, IMPLICIT_VR_LITTLE_ENDIAN) + self.report())
        return path

    def saying(self, **changed: Any) -> "Study":
        """Return the same study with another content."""
        if "readings" in changed:
            changed = {"findings": tuple(aggregated(changed["readings"])), **changed}
        return replace(self, content=replace(self.content, **changed))


def study_of(folder: Path, case: str, character_set: str = "", model: ModelIdentity = MODEL, **subject: Any) -> Study:
    """Write a study's images and return it with its readings."""
    outcome, said_of_each = CASES[case]
    study = StudyInstanceUID(derived_uid("study", case, character_set))
    instances = [SOPInstanceUID(derived_uid("instance", study, str(number))) for number in range(len(said_of_each))]
    sources = [
        _image(folder, study, instance, character_set, number, subject) for number, instance in enumerate(instances)
    ]
    readings = tuple(
        replace(read_as(said), sop_instance_uid=instance)
        for said, instance in zip(said_of_each, instances, strict=True)
    )
    identity = report_identity(study, model, tuple(instances), COMPREHENSIVE_3D_SR)
    earlier = replace(identity, sop_instance_uid=SOPInstanceUID(derived_uid("earlier", study)))
    predecessors = (earlier,) if case == "predecessor" else ()
    content = ReportContent(
        study, model, outcome, readings, CREATED_AT, predecessors, findings=tuple(aggregated(readings))
    )
    return Study(content, identity, sources)


def slices(folder: Path, count: int) -> Study:
    """Return a study of so many images of one series, one of which is positive; only the first has a file."""
    study = study_of(folder, "negative")
    first = study.content.readings[0]
    uids = [first.sop_instance_uid, *(SOPInstanceUID(derived_uid("slice", str(n))) for n in range(1, count))]
    said = [replace(first, sop_instance_uid=uid) for uid in uids]
    said[-1] = replace(read_as(0.9), sop_instance_uid=uids[-1])
    file = read_part10(study.sources[0])
    header = inspect(file.dataset, file.transfer_syntax_uid)
    headers = [replace(header, sop_instance_uid=uid) for uid in uids[1:]]
    return replace(study.saying(readings=tuple(said), outcome=Outcome.POSITIVE), sources=[study.sources[0], *headers])


def clip(folder: Path, frames: int) -> Study:
    """Return a study of one ultrasound clip, of which the last frame is positive."""
    study = study_of(folder, "negative")
    finding = read_as(0.9).findings[0]
    said = [
        FrameReading(number, True, (replace(finding, probability=number / (frames + 1)),))
        for number in range(1, frames + 1)
    ]
    reading = in_one(study.content.readings[0].sop_instance_uid, said, Admission(True))
    file = read_part10(study.sources[0])
    header = inspect(file.dataset, file.transfer_syntax_uid)
    header = replace(header, sop_class_uid=UltrasoundMultiFrameImageStorage, modality="US", number_of_frames=frames)
    return replace(study.saying(readings=(reading,), outcome=Outcome.POSITIVE), sources=[header])


def _image(folder: Path, study: str, instance: str, character_set: str, number: int, subject: dict[str, Any]) -> Path:
    described = {
        "patient_id": "P-1",
        "patient_name": NAMES[character_set],
        "series_instance_uid": SeriesInstanceUID(derived_uid("series", study)),
        "accession_number": "A-1",
        "patient_age": "003Y",
        "character_set": character_set,
        **subject,
    }
    pixels = (np.arange(40 * 30) % 251).astype(np.uint8).reshape(40, 30)
    path = folder / f"image-{instance[-8:]}.dcm"
    path.write_bytes(
        wrap_as_dx(
            pixels,
            Subject(study_instance_uid=study, sop_instance_uid=instance, instance_number=number + 1, **described),
        )
    )
    return path
