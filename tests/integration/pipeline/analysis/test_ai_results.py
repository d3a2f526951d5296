"""What IHE AI Results asks of a report, each requirement by its name, over reports that the node composes itself.

References
----------
IHE Radiology, AI Results (AIR), Rev. 1.3, trial implementation; DICOM PS3.16 TID 1500, 1501, 1600, 4019;
PS3.3 C.7.5.2 (Enhanced General Equipment), C.12.1.1.5 (Contributing Equipment), C.17.2 (SR Document General)
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydicom import Dataset

from models.bundle.folder import read_manifest, write_bundle
from node.config import ModelSettings
from node.domain.finding import Reading
from node.domain.identifiers import SOPInstanceUID
from node.pipeline.registry.catalogue import Catalogue, bundle_path, registration_of
from node.store.database import Database
from node.store.disk.files import InstanceFiles
from node.store.registering import registry
from tests.support.databases.kinds import MakeDatabase
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import Line, positive, refused
from tests.support.objects.reports import concept, content_items

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
STUDY, IMAGE, SECOND, THIRD = "1.2.3", "1.2.3.1.1", "1.2.3.1.2", "1.2.3.1.3"


@dataclass(frozen=True, slots=True)
class Composed:
    """The reports of one study, in the order in which the node composed them."""

    first: Dataset  #: one image, flagged
    later: Dataset  #: a second image came
    corrected: Dataset  #: the images came again under the right name
    updated: Dataset  #: another version of the model read them again
    refused: Dataset  #: of another study, that was not assessed

    def __iter__(self) -> Iterator[Dataset]:
        return iter((self.first, self.later, self.corrected, self.updated, self.refused))


@pytest.fixture(scope="module")
def composed(lasting_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory) -> Composed:
    """Let images come, and come again, and take the reports out of the outbox's database."""
    line = _line(lasting_database, tmp_path_factory.mktemp("flagged"), positive)
    line.house.receive(radiograph())
    line.report()
    line.house.receive(radiograph(sop_instance_uid=SECOND))
    line.report()
    for uid in (IMAGE, SECOND):
        line.house.receive(radiograph(sop_instance_uid=uid, patient_name="Roe^Jane"))
    line.report()
    _update(line, tmp_path_factory.mktemp("bundle"))
    turned_down = _line(lasting_database, tmp_path_factory.mktemp("refused"), refused)
    turned_down.house.receive(radiograph())
    turned_down.report()
    reports = [*line.reports(), *turned_down.reports()]
    for report in reports:
        report.walk(lambda *_: None)
    return Composed(*reports)


def _line(made: MakeDatabase, folder: Path, says: Callable[[SOPInstanceUID], Reading]) -> Line:
    url = made(folder)
    return Line(House(Database.open(url), InstanceFiles(folder), folder, url), says=says)


def _update(line: Line, folder: Path) -> None:
    """Let another version of the model serve, and read the study again."""
    newer = Path(shutil.copytree(bundle_path("starter"), folder / "newer"))
    manifest = read_manifest(newer)
    classes = tuple(replace(one, threshold=one.threshold / 2) for one in manifest.classes)
    write_bundle(newer, replace(manifest, version="9.0.0", classes=classes))
    row = registration_of(ModelSettings(name="starter", bundle=str(newer), mode="active"), require_validation=False)
    line.house.database.write(lambda tx: registry.put(tx, row))
    line.catalogue = Catalogue([row])
    line.house.receive(radiograph(sop_instance_uid=THIRD, patient_name="Roe^Jane"))
    line.report()
    line.read()
    line.compose()


def _named(report: Dataset, name: str) -> list[Dataset]:
    return [item for item in content_items(report) if concept(item) == name]


def _only_text(report: Dataset, name: str) -> str:
    (said,) = {str(item.TextValue) for item in _named(report, name)}
    return said


def _code(item: Dataset) -> tuple[str, str]:
    coded = item.ConceptCodeSequence[0]
    return coded.CodeValue, coded.CodingSchemeDesignator


def _equipment(report: Dataset) -> Dataset:
    (item,) = report.ContributingEquipmentSequence
    return item


def _groups(report: Dataset) -> list[Dataset]:
    return _named(report, "125007")


def _tracking(report: Dataset) -> dict[tuple[str, str], str]:
    """Return the Tracking UID of each group, by the image that it is about and its Tracking Identifier."""
    return {
        (_image_of(group), _only_text(group, "112039")): _named(group, "112040")[0].UID for group in _groups(report)
    }


def _image_of(group: Dataset) -> str:
    return str(_named(group, "121112")[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def _evidence(report: Dataset) -> set[str]:
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    assert study.StudyInstanceUID == report.StudyInstanceUID
    return {
        reference.ReferencedSOPInstanceUID
        for series in study.ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    }


def test_root_is_comprehensive_3d_sr_with_tid_1500(composed: Composed) -> None:
    """What qualitative findings are asked for in."""
    for report in composed:
        assert report.SOPClassUID == COMPREHENSIVE_3D_SR
        assert concept(report) == "126000"
        assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
        assert report.ContentTemplateSequence[0].MappingResource == "DCMR"


def test_contributing_equipment(composed: Composed) -> None:
    """The algorithm as processing equipment: manufacturer, model name, versions and Device UID."""
    for report in composed:
        item = _equipment(report)
        purpose = item.PurposeOfReferenceCodeSequence[0]
        assert (purpose.CodeValue, purpose.CodingSchemeDesignator) == ("109102", "DCM")
        assert all(item.get(name) for name in ("Manufacturer", "ManufacturerModelName", "SoftwareVersions"))
        assert item.DeviceUID.startswith("2.25.")
        assert item.ContributionDateTime.endswith(report.TimezoneOffsetFromUTC)


def test_algorithm_identification_equals_contributing_equipment(composed: Composed) -> None:
    """TID 4019 in every group: name and version; TID 1004: Device UID and manufacturer."""
    for report in composed:
        item = _equipment(report)
        for group in _groups(report):
            assert _only_text(group, "111001") == item.ManufacturerModelName
            assert _only_text(group, "111003") == item.SoftwareVersions
            assert _code(_named(group, "111000")[0]) == ("123110", "DCM")
        assert {observer.UID for observer in _named(report, "121012")} == {item.DeviceUID}
        assert _only_text(report, "121014") == item.Manufacturer
        assert _only_text(report, "121015") == item.ManufacturerModelName


def test_algorithm_parameters(composed: Composed) -> None:
    """The operating point and which weights, in the group of a finding."""
    said = " ".join(str(item.TextValue) for item in _named(_groups(composed.first)[0], "111002"))
    assert "threshold" in said
    assert "SHA-256" in said


def test_device_observer(composed: Composed) -> None:
    """Which is a device."""
    for report in composed:
        assert [_code(item) for item in _named(report, "121005")] == [("121007", "DCM")]


def test_device_uid_is_new_for_each_model_version(composed: Composed) -> None:
    """And the same for all reports of one version."""
    assert _equipment(composed.first).DeviceUID == _equipment(composed.corrected).DeviceUID
    assert _equipment(composed.first).SoftwareVersions != _equipment(composed.updated).SoftwareVersions
    assert _equipment(composed.first).DeviceUID != _equipment(composed.updated).DeviceUID


def test_tracking_identifiers_persist_over_re_reads(composed: Composed) -> None:
    """Whatever comes to the study, whoever it turns out to be of, and whichever version reads it."""
    first = _tracking(composed.first)
    assert len(first) == len(set(first.values())) == len(_groups(composed.first))
    for report in (composed.later, composed.corrected, composed.updated):
        found = _tracking(report)
        assert {key: found[key] for key in first} == first
        assert len(set(found.values())) == len(found)


def test_image_library(composed: Composed) -> None:
    """With modality, rows and columns, in every report, of all its images."""
    for report in composed:
        (library,) = _named(report, "111028")
        assert _named(library, "126200")
        images = [item for item in content_items(library) if item.ValueType == "IMAGE"]
        assert {item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in images} == _evidence(report)
        assert {concept(item) for item in content_items(library)} >= {"121139", "110910", "110911"}


def test_evidence(composed: Composed) -> None:
    """Current Requested Procedure Evidence names the images that the report was made from, and no others."""
    named = [_evidence(report) for report in composed]
    assert named == [{IMAGE}, *[{IMAGE, SECOND}] * 2, {IMAGE, SECOND, THIRD}, {IMAGE}]


def test_image_references(composed: Composed) -> None:
    """Every group names the image that it is about, and it stands in the evidence."""
    for report in composed:
        assert {_image_of(group) for group in _groups(report)} <= _evidence(report)


def test_timezone_offset_from_utc(composed: Composed) -> None:
    """Of the form &ZZXX, once for all times of the report."""
    for report in composed:
        assert report.TimezoneOffsetFromUTC[0] in "+-"
        assert report.TimezoneOffsetFromUTC[1:].isdigit()
        assert len(report.TimezoneOffsetFromUTC) == 5


def test_qualitative_findings_are_coded(composed: Composed) -> None:
    """The class as Finding, and as a question with the answer Present or Absent."""
    group = _groups(composed.first)[0]
    finding = _code(_named(group, "121071")[0])
    assert [_code(item) for item in _named(group, finding[0])] == [("52101004", "SCT")]


def test_measurements_are_numbers_with_a_unit(composed: Composed) -> None:
    """Of UCUM; the certainty of a finding is the probability of its presence in per cent."""
    for report in composed:
        for item in (item for item in content_items(report) if item.ValueType == "NUM"):
            unit = item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0]
            assert unit.CodingSchemeDesignator == "UCUM"
    assert [item.MeasuredValueSequence[0].NumericValue for item in _named(composed.first, "111012")] == [90]


def test_locations_are_coded(composed: Composed) -> None:
    """The site of a finding."""
    assert _code(_named(_groups(composed.first)[0], "363698007")[0])[1] == "SCT"


def test_results_belong_to_the_study_that_they_were_made_from(composed: Composed) -> None:
    """In a series of their own, under the patient that the images name now."""
    for report in composed:
        assert (report.StudyInstanceUID, report.Modality) == (STUDY, "SR")
        assert report.SeriesInstanceUID != "1.2.3.1"
    assert (composed.first.PatientName, composed.corrected.PatientName) == ("Doe^Jane", "Roe^Jane")


def test_each_report_of_a_study_is_an_instance_of_its_own(composed: Composed) -> None:
    """In one series, whatever the version."""
    *of_study, _ = composed
    assert len({report.SOPInstanceUID for report in of_study}) == len(of_study)
    assert len({report.SeriesInstanceUID for report in of_study}) == 1


def test_procedure_reported_is_the_imaging_procedure(composed: Composed) -> None:
    """Never the algorithm."""
    for report in composed:
        assert [_code(item) for item in _named(report, "121058")] == [("363679005", "SCT")]


def test_language_of_content(composed: Composed) -> None:
    """Said in code."""
    for report in composed:
        assert [_code(item) for item in _named(report, "121049")] == [("en", "RFC5646")]


def _identity(report: Dataset) -> tuple[str, str]:
    return report.SOPClassUID, report.SOPInstanceUID


def test_completion_and_verification(composed: Composed) -> None:
    """Complete, and verified by nobody."""
    for report in composed:
        assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")


def test_a_later_report_names_its_predecessor(composed: Composed) -> None:
    """With its class and instance; the first names none."""
    assert "PredecessorDocumentsSequence" not in composed.first
    (study,) = composed.later.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (named,) = series.ReferencedSOPSequence
    assert (study.StudyInstanceUID, series.SeriesInstanceUID) == (STUDY, composed.first.SeriesInstanceUID)
    assert (named.ReferencedSOPClassUID, named.ReferencedSOPInstanceUID) == _identity(composed.first)


def test_not_assessed_is_coded_and_carries_no_score(composed: Composed) -> None:
    """Summary of Analyses says how the analysis went; a refusal has no certainty."""
    assert {_code(item) for item in _named(composed.first, "111065")} == {("111222", "DCM")}
    assert {_code(item) for item in _named(composed.refused, "111065")} <= {("111225", "DCM"), ("111224", "DCM")}
    assert _named(composed.refused, "111012") == _named(composed.refused, "113071") == []
