"""Reports of every outcome, in every form that a peer may get and over sources in every character set.

The validators, the viewer and the examples in the documentation all go through these.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom import Dataset, dcmread

from node.dicom.instance.part10 import preamble_and_meta
from node.domain.finding import Anomaly
from node.domain.identifiers import SOPInstanceUID, derived_uid
from node.domain.profile import COMPREHENSIVE_3D_SR, COMPREHENSIVE_SR, ENHANCED_SR, PROFILES
from node.domain.report import ReportIdentity
from tests.support.objects.studies import IMPLICIT_VR_LITTLE_ENDIAN, NAMES, Study, study_of

CHARACTER_SETS = tuple(NAMES)
"""Of the sources: none named (ASCII), Latin 1, UTF-8 and GB18030; with a name that needs it."""

REGION = ((8.0, 10.0), (21.0, 9.5), (23.5, 20.0), (14.0, 27.0), (7.0, 19.0), (8.0, 10.0))


@dataclass(frozen=True, slots=True)
class Form:
    """What a report is shaped as for a peer."""

    name: str
    sop_class_uid: str
    iod: str  #: dciodvfy's name of it
    profile: str
    language: str


FORMS = (
    Form("88.34", COMPREHENSIVE_3D_SR, "Comprehensive3DSR", "default", "en"),
    Form("88.33", COMPREHENSIVE_SR, "ComprehensiveSR", "horos", "zh"),
    Form("88.22", ENHANCED_SR, "EnhancedSR", "ohif", "en"),
)


@dataclass(frozen=True, slots=True)
class Specimen:
    """One report as a file, with the images that it is about."""

    outcome: str
    form: Form
    character_set: str
    study: Study
    path: Path

    @property
    def name(self) -> str:
        """What tells it from the others."""
        return f"{self.outcome}, {self.form.name}, {self.character_set or 'ASCII'}"

    @property
    def sources(self) -> list[Path]:
        """The files of its images."""
        return [source for source in self.study.sources if isinstance(source, Path)]

    @property
    def dataset(self) -> Dataset:
        """The report, read with pydicom alone."""
        return dcmread(self.path)


def _region_found(folder: Path, character_set: str) -> Study:
    study = study_of(folder, "positive", character_set)
    reading = study.content.readings[0]
    findings = tuple(replace(finding, region=REGION) for finding in reading.findings)
    return study.saying(readings=(replace(reading, findings=findings),))


def _anomaly(folder: Path, character_set: str) -> Study:
    """Nothing is found, and hardly a normal looks so unusual."""
    study = study_of(folder, "negative", character_set)
    return study.saying(readings=(replace(study.content.readings[0], anomaly=Anomaly(4.8, 99.6, REGION)),))


def _part_of_a_study(folder: Path, character_set: str) -> Study:
    return study_of(folder, "two images", character_set).saying(unread=3)


def _corrected_identity(folder: Path, character_set: str) -> Study:
    """Return a study whose images came again under another name, so that the report on the old one is replaced."""
    study = study_of(folder, "negative", character_set, patient_name="Right^Person", patient_id="P-2")
    earlier = replace(study.identity, sop_instance_uid=SOPInstanceUID(derived_uid("misnamed", character_set)))
    return study.saying(predecessors=(earlier,))


def _case(name: str) -> Callable[[Path, str], Study]:
    return lambda folder, character_set: study_of(folder, name, character_set)


OUTCOMES: dict[str, Callable[[Path, str], Study]] = {
    "finding present": _case("positive"),
    "finding absent": _case("negative"),
    "region found": _region_found,
    "anomaly": _anomaly,
    "not assessed": _case("not assessed"),
    "failed": _case("failed"),
    "several images": _case("two images"),
    "one image of two not assessed": _case("one of two images"),
    "part of a study": _part_of_a_study,
    "later report": _case("predecessor"),
    "corrected identity": _corrected_identity,
}
"""How to make a study of each outcome in a folder, in a character set."""


def specimens(folder: Path) -> Iterator[Specimen]:
    """Compose a report of every outcome in every form and every character set, and write them as files."""
    for outcome, make in OUTCOMES.items():
        for character_set in CHARACTER_SETS:
            images = folder / f"{outcome}-{character_set}".replace(" ", "_")
            images.mkdir(parents=True)
            study = make(images, character_set)
            for form in FORMS:
                yield specimen(outcome, form, character_set, study, images / f"{form.name}.dcm")


def specimen(outcome: str, form: Form, character_set: str, study: Study, path: Path) -> Specimen:
    """Compose the report of a study in one form and write it."""
    content = replace(study.content, profile=PROFILES[form.profile], language=form.language)
    uid = SOPInstanceUID(derived_uid("specimen", study.identity.sop_instance_uid, form.name))
    identity = ReportIdentity(uid, study.identity.series_instance_uid, form.sop_class_uid)
    study = Study(content, identity, study.sources)
    path.write_bytes(preamble_and_meta(form.sop_class_uid, uid, IMPLICIT_VR_LITTLE_ENDIAN) + study.report())
    return Specimen(outcome, form, character_set, study, path)
