"""What goes beside reports, and what takes them back: read off such objects, as `node.dicom.outline.reports` does.

References
----------
DICOM PS3.2 Annex A.8 (IOD contents)
"""

import base64
import io
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.filereader import read_dataset

from node.dicom.companions.heat_map_object import build_heat_map
from node.dicom.companions.plain_text import build_text
from node.dicom.companions.rejection_note import build_rejection_note
from node.dicom.outline.reports import Contents, contents_of
from node.dicom.outline.sample_reports import sample_headers, samples
from node.dicom.report.build import build_report
from node.dicom.samples.wrap import Subject, as_file, dx_dataset
from node.domain.chosen_heat_maps import heat_map_identity, heat_maps
from node.domain.finding import HeatGrid
from node.domain.profile import Profile
from node.domain.rejection import RejectionCode
from node.domain.report import ModelIdentity, ReportContent, report_identity, text_identity

_HEAT = HeatGrid(1, 1, base64.b64encode(b"\xff").decode())
_ALL_KNOWN = {
    "LossyImageCompression": "01",
    "LossyImageCompressionRatio": 10,
    "LossyImageCompressionMethod": "ISO_10918_1",
    "IssuerOfPatientID": "SITE",
    "PatientOrientation": ["R", "F"],
}


@dataclass(frozen=True, slots=True)
class Companion:
    """A kind of object beside reports."""

    name: str
    gets: str  #: the word of a peer's `gets`, "" where none asks for it
    contents: Contents


def companions(model: ModelIdentity, profile: Profile, languages: Sequence[str]) -> tuple[Companion, ...]:
    """Return what stands in texts, heat maps and rejection notes, whatever the outcome.

    Parameters
    ----------
    model, profile, languages
        As `node.dicom.outline.reports.outline` takes them.
    """
    said = [content for language in languages for content in samples(model, profile, language)]
    maps = list(_heat_maps(said[0]))
    return (
        Companion("Text companion", "text", contents_of([_read(_text(content)) for content in said])),
        Companion("Heat map", "heatmap", contents_of([_read(one) for one in maps])),
        Companion("Rejection note", "", contents_of([_read(note) for note in _notes(said[0], maps[0])])),
    )


def _text(content: ReportContent) -> bytes:
    identity = text_identity(content.study_instance_uid, content.model, ())
    return build_text(content, identity, sample_headers(content))


def _heat_maps(content: ReportContent) -> Iterator[bytes]:
    """Yield one of an image of which the side is known, and one of which not even the part of the body is."""
    reading = content.readings[0]
    hot = replace(reading.findings[0], heat=_HEAT)
    (drawn,) = heat_maps([replace(reading, findings=(hot,))])
    identity = heat_map_identity(content.study_instance_uid, content.model, (), drawn)
    with tempfile.TemporaryDirectory() as folder:
        for part, side in (("BREAST", "L"), ("", "")):
            path = Path(folder) / f"{part}.dcm"
            path.write_bytes(_source(content, part, side))
            yield build_heat_map(replace(content, synthetic=True), drawn, identity, path)


def _source(content: ReportContent, part: str, side: str) -> bytes:
    (header, *_) = sample_headers(content)
    uids = header.study_instance_uid, header.series_instance_uid, header.sop_instance_uid
    subject = Subject(header.patient_id, header.patient_name, *uids, patient_age=header.patient_age, body_part=part)
    dataset = dx_dataset(np.zeros((16, 16), np.uint8), subject)
    for keyword, value in (_ALL_KNOWN | {"ImageLaterality": side}).items():
        setattr(dataset, keyword, value)
    return as_file(dataset)


def _notes(content: ReportContent, heat_map: bytes) -> Iterator[bytes]:
    identity = report_identity(content.study_instance_uid, content.model, (), content.profile.sop_classes[0])
    report = build_report(content, identity, sample_headers(content))
    for code in RejectionCode:
        yield build_rejection_note(report, code, "Why.", content.created_at)
        yield build_rejection_note(heat_map, code, "Why.", content.created_at, report)


def _read(encoded: bytes) -> Dataset:
    return read_dataset(io.BytesIO(encoded), is_implicit_VR=True, is_little_endian=True)
