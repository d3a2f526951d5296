"""Our objects before programs nobody here wrote: dicom3tools, PixelMed, DCMTK and highdicom.

No error at all is let through, and of the warnings only those named here, each with its reason.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from highdicom.sr import srread
from pydicom import dcmread
from pydicom.uid import DigitalXRayImageStorageForPresentation, XRayAngiographicImageStorage

from node.dicom.synthetic import Origin, synthetic_study
from node.dicom.wrap import Subject, wrap_as_dx
from tests.support.programs import find_program, run_program
from tests.unit.dicom.rich import enrich
from tests.unit.dicom.studies import CASES, NAMES, Study, clip, slices, study_of

pytestmark = pytest.mark.peers

_PIXELMED = Path("/usr/share/java/pixelmed.jar")
_JAVA_OPTIONS = [f"-Djdk.xml.xpath{limit}Limit=0" for limit in ("TotalOp", "ExprOp", "ExprGrp")]

_HARMLESS = {
    # dicom3tools 20220618 is older than Synthetic Data
    "</(0008,001c)> - ",
    # dicom3tools 20220618 is older than the Device UID in Contributing Equipment, which IHE AI Results asks for
    "ContributingEquipmentSequence(0018,a001)[1]/DeviceUID(0018,1002)> - Attribute is not present in standard",
    # dicom3tools' tables have the Accession Number of a DX image in the series, PS3.3 C.7.2.1 has it in the study
    "Different information entities for attribute - Element=<AccessionNumber> IE <Series> versus <Study>",
    "Element=<IssuerOfAccessionNumberSequence> IE <Series> versus <Study>",
    # a private scheme is declared in the report, and no table can know it
    "Unrecognized defined term = <99",
    # a patient or study that the source leaves unnamed is left unnamed; nothing is made up for a DICOMDIR
    "Missing attribute or value that would be needed to build DICOMDIR",
    # DCMTK 3.6.7 looks only at ASCII and some single-byte character sets here
    "The VR checker does not support this Specific Character Set: GB18030",
    "The VR checker does not support this Specific Character Set: ISO_IR 192",
}

# TID 1500 and 1501 are extensible, and PixelMed reports what they do not list: the lines for a person and the image
# that one names, the presence of the class, and what is said of an image that was not assessed
_BESIDE_THE_TEMPLATE = {
    'TEXT (121106,DCM,"Comment")',
    'IMAGE (260753009,SCT,"Source")',
    'CODE (233604007,SCT,"Pneumonia")',
    'CODE (111065,DCM,"Summary of Analyses")',
    'CODE (121077,DCM,"Conclusion")',
}


def _found(name: str) -> str:
    """Return where a program is; without it a test is skipped, but never where everything is to be tested."""
    path = find_program(name)
    if path is None or (name == "java" and not _PIXELMED.exists()):
        missing = f"{name if path is None else _PIXELMED} is not installed: tests/peers/install.sh installs it"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return path


def _clean_output(*command: str) -> str:
    """Return what a program says, once it is seen to say nothing of errors, and of warnings only harmless ones."""
    said = run_program([_found(command[0]), *command[1:]]).stdout
    marked = (line for line in said.splitlines() if line.startswith(("Error", "Warning", "E: ", "W: ", "F: ")))
    assert [line for line in marked if not any(harmless in line for harmless in _HARMLESS)] == []
    return said


def _pixelmed(path: Path) -> list[str]:
    arguments = [*_JAVA_OPTIONS, "-cp", str(_PIXELMED), "com.pixelmed.validate.DicomSRValidator", str(path)]
    said = run_program([_found("java"), *arguments]).stdout.splitlines()
    assert "IOD validation complete" in said, said
    assert "Root Template Validation Complete" in said, said
    complaints = [line for line in said if line.startswith(("Error", "Warning"))]
    return [line for line in complaints if not _beside_the_template(line)]


def _beside_the_template(line: str) -> bool:
    item, _, verdict = line.rpartition(": ")
    return verdict == "Content Item not in template" and item.rpartition("/")[2] in _BESIDE_THE_TEMPLATE


@pytest.fixture(params=NAMES, ids=lambda name: name or "ASCII")
def character_set(request: pytest.FixtureRequest) -> str:
    """Return the character set of the sources."""
    return str(request.param)


@pytest.fixture(params=CASES)
def study(request: pytest.FixtureRequest, character_set: str, tmp_path: Path) -> Study:
    """Return a study of every outcome in every character set."""
    return study_of(tmp_path, request.param, character_set)


def test_dciodvfy_finds_nothing_in_any_report(study: Study, tmp_path: Path) -> None:
    """Modules and attributes of the Comprehensive 3D SR IOD."""
    path = study.report_file(tmp_path)
    assert "Comprehensive3DSR" in _clean_output("dciodvfy", "-new", str(path))


def test_dcentvfy_finds_report_and_images_of_one_patient_and_study(study: Study, tmp_path: Path) -> None:
    """What was copied is what the images say."""
    path = study.report_file(tmp_path)
    _clean_output("dcentvfy", *map(str, study.sources), str(path))


def test_pixelmed_finds_the_templates_kept(study: Study, tmp_path: Path) -> None:
    """TID 1500, 1501, 300 and 4019."""
    assert _pixelmed(study.report_file(tmp_path)) == []


def test_pixelmed_finds_nothing_in_a_report_of_a_part_of_a_study(tmp_path: Path) -> None:
    """PARTIAL, with the study's result before the images."""
    path = study_of(tmp_path, "two images").saying(unread=3).report_file(tmp_path)
    assert _pixelmed(path) == []
    assert "PARTIAL" in _clean_output("dsrdump", str(path)).upper()
    _clean_output("dciodvfy", "-new", str(path))


def test_dcmtk_dumps_and_renders_every_report(study: Study, tmp_path: Path) -> None:
    """With the lines that a person is to read."""
    path, page = study.report_file(tmp_path), tmp_path / "report.html"
    assert "Imaging Measurement Report" in _clean_output("dsrdump", str(path))
    _clean_output("dsr2html", "+U8", str(path), str(page))
    html = page.read_text(encoding="utf-8")
    assert "RESEARCH RESULT by starter 1.0.0." in html
    assert str(dcmread(path).PatientName).partition("=")[0].partition("^")[0] in html


def test_highdicom_reads_every_report(study: Study, tmp_path: Path) -> None:
    """As a measurement report with its groups."""
    groups = srread(study.report_file(tmp_path)).content.get_image_measurement_groups()
    assert len(groups) >= len(study.sources)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", ["positive", "not assessed"])
def test_a_report_on_a_source_that_says_nothing_of_itself_is_valid(case: str, tmp_path: Path) -> None:
    """No body part, no laterality, no orientation, no name, no dates; 0 rows where nothing was assessed."""
    study = study_of(tmp_path, case)
    kept = {"SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Rows", "Columns"}
    source = dcmread(study.sources[0])
    for element in [it for it in source if it.keyword not in kept]:
        del source[element.tag]
    if case == "not assessed":
        source.Rows = source.Columns = 0
    source.save_as(study.sources[0])
    path = study.report_file(tmp_path)
    assert "Comprehensive3DSR" in _clean_output("dciodvfy", "-new", str(path))
    assert _pixelmed(path) == []


def test_a_report_on_a_source_that_says_all_it_may_is_valid_and_agrees_with_it(
    tmp_path: Path, character_set: str
) -> None:
    """Whole modules of patient, study, visit and trial are copied."""
    study = study_of(tmp_path, "positive", character_set)
    enrich(study.sources[0])
    path = study.report_file(tmp_path)
    assert "Comprehensive3DSR" in _clean_output("dciodvfy", "-new", str(path))
    _clean_output("dcentvfy", str(study.sources[0]), str(path))
    assert _pixelmed(path) == []


@pytest.mark.parametrize("sop_class", [DigitalXRayImageStorageForPresentation, XRayAngiographicImageStorage])
def test_a_report_on_an_image_of_two_frames_is_valid(sop_class: str, tmp_path: Path) -> None:
    """Whether its class may have several or not."""
    study = study_of(tmp_path, "positive")
    source = dcmread(study.sources[0])
    source.NumberOfFrames, source.SOPClassUID = 2, sop_class
    source.save_as(study.sources[0])
    path = study.report_file(tmp_path)
    assert "Comprehensive3DSR" in _clean_output("dciodvfy", "-new", str(path))
    assert _pixelmed(path) == []


@pytest.mark.parametrize("many", [partial(slices, count=40), partial(clip, frames=30)], ids=["slices", "frames"])
def test_a_report_on_a_series_or_a_clip_is_valid(many: Callable[[Path], Study], tmp_path: Path) -> None:
    """With the study's lines, its key images, and frames referred to by number."""
    path = many(tmp_path).report_file(tmp_path)
    assert "Comprehensive3DSR" in _clean_output("dciodvfy", "-new", str(path))
    assert _pixelmed(path) == []
    assert "Key image" in _clean_output("dsrdump", str(path))
    srread(path).content.get_image_measurement_groups()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("inverted", [True, False])
def test_dciodvfy_finds_nothing_in_a_wrapped_image(
    tmp_path: Path,
    dtype: type,
    inverted: bool,  # noqa: FBT001
    character_set: str,
) -> None:
    """What the demo, the tests and the benchmarks send is a valid radiograph."""
    pixels = (np.arange(15) * 17).astype(dtype).reshape(5, 3)
    subject = Subject("P-1", NAMES[character_set], "1.2.1", "1.2.2", "1.2.3", character_set=character_set)
    path = tmp_path / "image.dcm"
    path.write_bytes(wrap_as_dx(pixels, subject, inverted=inverted))
    assert "DXImageForPresentation" in _clean_output("dciodvfy", "-new", str(path))


def test_dciodvfy_finds_nothing_in_a_synthetic_study(tmp_path: Path) -> None:
    """Of a DX image for presentation, marked as synthetic."""
    image = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    origin = Origin("clouds", "1", "ab" * 32, "20260102", "made up (no licence)", "pneumonia", 7, 1)
    path = tmp_path / "synthetic.dcm"
    path.write_bytes(synthetic_study(image, origin))
    assert "DXImageForPresentation" in _clean_output("dciodvfy", "-new", str(path))
