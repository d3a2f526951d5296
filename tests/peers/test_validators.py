"""What is out of the ordinary before programs nobody here wrote: odd sources, many images, and what the node paints.

Reports of every outcome over ordinary sources are in `test_matrix`.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import DigitalXRayImageStorageForPresentation, XRayAngiographicImageStorage

from node.dicom.samples.synthetic_study import Origin, synthetic_study
from node.dicom.samples.wrap import Subject, wrap_as_dx
from tests.support.objects.outcomes import CHARACTER_SETS, FORMS, Specimen, specimen
from tests.support.objects.rich_header import enrich
from tests.support.objects.studies import NAMES, Study, clip, slices, study_of
from tests.support.programs.examined import VALIDATORS, Complaints, examine
from tests.support.programs.processes import program, run_program
from tests.support.programs.validators import dciodvfy

pytestmark = [pytest.mark.peers, pytest.mark.timeout(480)]

Make = Callable[[Path], Study]
_KEPT = {"SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Rows", "Columns"}


def _changed(case: str, change: Callable[[Dataset], None], character_set: str = "") -> Make:
    """Return how to make a study whose first image was changed."""

    def make(folder: Path) -> Study:
        study = study_of(folder, case, character_set)
        source = dcmread(study.sources[0])
        change(source)
        source.save_as(study.sources[0])
        return study

    return make


def _silenced(source: Dataset) -> None:
    """Take away name, dates, body part, laterality and orientation: all that a source may lack."""
    for element in [it for it in source if it.keyword not in _KEPT]:
        del source[element.tag]


def _without_pixels(source: Dataset) -> None:
    _silenced(source)
    source.Rows = source.Columns = 0


def _of_no_character_set(source: Dataset) -> None:
    _put(source, "SpecificCharacterSet", b"ISO_IR 999")
    _put(source, "PatientName", "王^小东".encode("gb18030") + b" ")


def _with_a_name_in_none(source: Dataset) -> None:
    _put(source, "SpecificCharacterSet", b"ISO_IR 192")
    _put(source, "PatientName", b"\xff\xfe\x80^\xc3\x28\x01 ")


def _put(source: Dataset, keyword: str, value: bytes) -> None:
    """Put bytes in the place of a value, as no library would write them."""
    tag, vr = Tag(keyword), dictionary_VR(keyword)
    source[tag] = RawDataElement(tag, vr, len(value), value, 0, is_implicit_VR=False, is_little_endian=True)


def _of_two_frames(source: Dataset, sop_class: str) -> None:
    source.NumberOfFrames, source.SOPClassUID = 2, sop_class


def _rich(folder: Path, character_set: str) -> Study:
    study = study_of(folder, "positive", character_set)
    enrich(study.sources[0])
    return study


def _synthetic(folder: Path) -> Study:
    return study_of(folder, "positive").saying(synthetic=True)


ODD: dict[str, Make] = {
    "a source that says nothing of itself": _changed("positive", _silenced),
    "a source without rows and columns": _changed("not assessed", _without_pixels),
    "a character set that is none": _changed("positive", _of_no_character_set),
    "a name that is not of its character set": _changed("positive", _with_a_name_in_none),
    "two frames of a class with one": _changed(
        "positive", partial(_of_two_frames, sop_class=DigitalXRayImageStorageForPresentation)
    ),
    "two frames": _changed("positive", partial(_of_two_frames, sop_class=XRayAngiographicImageStorage)),
    "a series": partial(slices, count=40),
    "a clip": partial(clip, frames=30),
    "a synthetic image": _synthetic,
    **{f"a source that says all, {name or 'ASCII'}": partial(_rich, character_set=name) for name in CHARACTER_SETS},
}
#: Such a source breaks its own definition: it lacks elements that a report has empty, or its text is none.
_NOT_ASKED = {
    ("a character set that is none", "dcentvfy"),
    ("a name that is not of its character set", "dcentvfy"),
    ("a source that says nothing of itself", "dcentvfy"),
    ("a source without rows and columns", "dcentvfy"),
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Specimen], Complaints]:
    """Compose a report on each, and show it to every validator."""
    made = dict(_composed(tmp_path_factory.mktemp("odd")))
    return made, examine(list(made.values()), list(made.values()))


def _composed(folder: Path) -> Iterator[tuple[str, Specimen]]:
    for number, (name, make) in enumerate(ODD.items()):
        (images := folder / str(number)).mkdir()
        yield name, specimen(name, FORMS[0], "", make(images), images / "report.dcm")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ODD)
def test_a_report_on_what_is_odd_is_valid(odd: tuple[dict[str, Specimen], Complaints], name: str) -> None:
    """By every validator; what was copied is what the images say, as far as they say anything."""
    specimens, complaints = odd
    said = {one: complaints[one, specimens[name].name] for one in VALIDATORS if (name, one) not in _NOT_ASKED}
    assert said == {one: [] for one in said}


@pytest.mark.parametrize("name", ["a series", "a clip"])
def test_a_report_on_many_images_names_those_that_decided(
    odd: tuple[dict[str, Specimen], Complaints], name: str
) -> None:
    """As DCMTK reads it, with frames referred to by number."""
    said = run_program([program("dsrdump"), "+U8", str(odd[0][name].path)]).stdout
    assert "Key image" in said


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("inverted", [True, False])
@pytest.mark.parametrize("character_set", CHARACTER_SETS)
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
    assert dciodvfy(path, "DXImageForPresentation") == []


def test_dciodvfy_finds_nothing_in_a_synthetic_study(tmp_path: Path) -> None:
    """Of a DX image for presentation, marked as synthetic."""
    image = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    origin = Origin("clouds", "1", "ab" * 32, "20260102", "made up (no licence)", "pneumonia", 7, 1)
    path = tmp_path / "synthetic.dcm"
    path.write_bytes(synthetic_study(image, origin))
    assert dciodvfy(path, "DXImageForPresentation") == []
