"""Reports to look at: one for each thing that a report may say, about images that nobody has.

They are never sent and never stored; `node.dicom.outline.reports` reads off them what reports consist of.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from node.domain.finding import (
    Admission,
    Anomaly,
    Cause,
    Code,
    Finding,
    FrameReading,
    KeyImage,
    Outcome,
    Reading,
    StudyFinding,
)
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID, derived_uid
from node.domain.instance import InstanceHeader
from node.domain.profile import Profile
from node.domain.report import ModelClass, ModelIdentity, ReportContent, ReportIdentity
from node.domain.rule import Aggregation

_WHEN = datetime(2026, 1, 1, tzinfo=UTC)
_STUDY = StudyInstanceUID(derived_uid("sample", "study"))
_SERIES = SeriesInstanceUID(derived_uid("sample", "series"))
_IMAGES = tuple(SOPInstanceUID(derived_uid("sample", "image", str(number))) for number in range(2))
_REGION = ((10.0, 10.0), (90.0, 10.0), (90.0, 90.0), (10.0, 10.0))
_DIGITAL_RADIOGRAPHY = "1.2.840.10008.5.1.4.1.1.1.1"
_ADMITTED = Admission(admitted=True)


def samples(model: ModelIdentity, profile: Profile, language: str) -> Iterator[ReportContent]:
    """Yield contents of reports: flagged, not flagged, not assessed for each reason, of several images and frames."""
    first = ReportContent(
        _STUDY, model, Outcome.POSITIVE, (_read(model, 0),), _WHEN, profile=profile, language=language
    )
    low = tuple(replace(finding, probability=0.0, region=()) for finding in first.readings[0].findings)
    negative = replace(first.readings[0], findings=low, anomaly=Anomaly(0.0, 50.0))
    earlier = ReportIdentity(SOPInstanceUID(derived_uid("sample", "report")), _SERIES, profile.sop_classes[0])
    yield first
    yield replace(first, outcome=Outcome.NEGATIVE, readings=(negative,), predecessors=(earlier,), synthetic=True)
    several = tuple(_read(model, number) for number in range(len(_IMAGES)))
    yield replace(first, readings=several, findings=tuple(map(_of_study, model.classes)), unread=1)
    absent = tuple(replace(_of_study(one), score=0.0, present=False, reached=0, key_images=()) for one in model.classes)
    both = tuple(replace(reading, findings=low) for reading in several)
    yield replace(first, outcome=Outcome.NEGATIVE, readings=both, findings=absent)
    framed = replace(several[0], frames=(FrameReading(1, True, several[0].findings, several[0].anomaly),))
    yield replace(first, readings=(framed,))
    for cause in Cause:
        refused = Reading(_IMAGES[0], Admission(False, _reason(cause), "Why.", cause=cause))
        yield replace(first, outcome=Outcome.NOT_ASSESSED, readings=(refused,))


def sample_headers(content: ReportContent, modality: str = "DX") -> list[InstanceHeader]:
    """Return the headers of the images that a sample is about, of a patient of whom all is known."""
    return [_header(reading.sop_instance_uid, modality) for reading in content.readings]


def _read(model: ModelIdentity, number: int) -> Reading:
    findings = tuple(Finding(one.name, one.finding, one.site, 1.0, one.threshold, _REGION) for one in model.classes)
    return Reading(_IMAGES[number], _ADMITTED, findings, Anomaly(3.0, 99.0, _REGION))


def _of_study(of: ModelClass) -> StudyFinding:
    maximum, both = Aggregation.MAXIMUM.value, len(_IMAGES)
    key = (KeyImage(_IMAGES[0]),)
    return StudyFinding(of.name, of.finding, maximum, 1.0, of.threshold, True, both, both, key)


def _reason(cause: Cause) -> Code | None:
    limits = (Cause.OUTSIDE_LIMITS, Cause.FRAMES_OUTSIDE_LIMITS)
    return Code("128619", "DCM", "Outside operational limits of the device") if cause in limits else None


def _header(uid: SOPInstanceUID, modality: str) -> InstanceHeader:
    return InstanceHeader(
        _DIGITAL_RADIOGRAPHY,
        uid,
        _STUDY,
        _SERIES,
        "1.2.840.10008.1.2.1",
        patient_id="SAMPLE",
        issuer_of_patient_id="SITE",
        patient_name="Sample=\u6a23\u672c",
        patient_birth_date="20200101",
        patient_sex="O",
        patient_age="006Y",
        accession_number="1",
        study_date="20260101",
        study_time="120000",
        study_description="Sample",
        modality=modality,
        rows=100,
        columns=100,
        has_pixels=True,
    )
