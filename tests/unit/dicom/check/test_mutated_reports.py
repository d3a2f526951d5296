"""Reports that were changed in one place each: the last look of the node refuses every one, and says why."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_dataset
from pydicom.tag import Tag

from node.dicom.check.content_tree import check_tree
from node.dicom.check.encoded_object import check_object
from node.dicom.check.report_content import check_report, check_texts
from node.domain.errors import Permanent
from node.domain.profile import PROFILES
from tests.support.objects.reports import concept, content_items
from tests.support.objects.studies import NAMES, study_of

Change = Callable[[Dataset], None]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return valid reports, by the character set of their source."""
    folder, made = tmp_path_factory.mktemp("valid"), {}
    for character_set in NAMES:
        study = study_of(folder, "positive", character_set)
        made[character_set] = study.saying(profile=PROFILES["ohif"]).report()
    return made


def _checked(encoded: bytes) -> None:
    """Look at a report as the node does before it enters the outbox."""
    read = check_object(encoded)
    check_tree(read)
    check_report(read, _first_line(read))


def _first_line(report: Dataset) -> str:
    return next(str(item.TextValue) for item in content_items(report) if concept(item) == "121106")


def _mutated(encoded: bytes, change: Change) -> bytes:
    report = read_dataset(io.BytesIO(encoded), is_implicit_VR=True, is_little_endian=True)
    report.walk(lambda *_: None)
    change(report)
    out = io.BytesIO()
    dcmwrite(out, report, implicit_vr=True, little_endian=True)
    return out.getvalue()


def _without(keyword: str) -> Change:
    return lambda report: report.__delattr__(keyword)


def _emptied(keyword: str) -> Change:
    return lambda report: setattr(report, keyword, [] if report[keyword].VR == "SQ" else "")


def _raw(keyword: str, value: bytes) -> Change:
    """Put bytes in the place of a value, as no library would write them."""

    def change(report: Dataset) -> None:
        tag, vr = Tag(keyword), report[keyword].VR
        report[tag] = RawDataElement(tag, vr, len(value), value, 0, True, True)

    return change


def _in(name: str, change: Callable[[Dataset], Any]) -> Change:
    """Change the first content item of this name."""
    return lambda report: change(next(item for item in content_items(report) if concept(item) == name))


def _dropped(name: str) -> Change:
    """Take every content item of this name away."""

    def change(parent: Dataset) -> None:
        if "ContentSequence" in parent:
            parent.ContentSequence = [item for item in parent.ContentSequence if concept(item) != name]
            for item in parent.ContentSequence:
                change(item)

    return change


def _set(**values: Any) -> Callable[[Dataset], None]:
    def change(item: Dataset) -> None:
        for keyword, value in values.items():
            setattr(item, keyword, value)

    return change


def _of_code(**values: Any) -> Callable[[Dataset], None]:
    return lambda item: _set(**values)(item.ConceptCodeSequence[0])


def _measured(**values: Any) -> Callable[[Dataset], None]:
    return lambda item: _set(**values)(item.MeasuredValueSequence[0])


def _twice(report: Dataset) -> None:
    uids = [item for item in content_items(report) if concept(item) == "112040"]
    uids[1].UID = uids[0].UID


def _refused_with_a_score(report: Dataset) -> None:
    group = next(item for item in content_items(report) if concept(item) == "125007")
    summary = next(item for item in content_items(report) if concept(item) == "111065")
    summary.ConceptCodeSequence[0].CodeValue = "111225"
    group.ContentSequence.append(summary)


def _region(name: str, change: Callable[[list[float]], list[float]]) -> Change:
    return _in(name, lambda item: setattr(item, "GraphicData", change(list(item.GraphicData))))


_REGION, _CERTAINTY, _COMMENT, _GROUP = "111030", "111012", "121106", "125007"

MUTATIONS: dict[str, tuple[Change, str]] = {
    **{
        f"no {keyword}": (_without(keyword), f"no {keyword}|lack {keyword}")
        for keyword in (
            "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "SeriesNumber",
            "InstanceNumber", "CompletionFlag", "VerificationFlag", "ContentDate", "ContentTime",
            "TimezoneOffsetFromUTC", "CurrentRequestedProcedureEvidenceSequence", "ContributingEquipmentSequence",
            "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions",
            "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
            "AccessionNumber", "ReferringPhysicianName", "PerformedProcedureCodeSequence",
        )
    },
    "empty evidence": (_emptied("CurrentRequestedProcedureEvidenceSequence"), "no CurrentRequested"),
    "empty flag": (_emptied("CompletionFlag"), "no CompletionFlag"),
    "a UID with letters": (_raw("StudyInstanceUID", b"1.2.x "), "StudyInstanceUID that is no UID"),
    "a UID of 66 characters": (_raw("SeriesInstanceUID", b"1." + b"2" * 64), "SeriesInstanceUID that is no UID"),
    "a day that is none": (_raw("ContentDate", b"20261341"), "ContentDate that VR DA"),
    "an hour that is none": (_raw("ContentTime", b"2561"), "ContentTime that VR TM"),
    "a code string in small letters": (_raw("PatientSex", b"m "), "PatientSex that VR CS"),
    "a number that is none": (_raw("SeriesNumber", b"one "), "SeriesNumber that VR IS"),
    "two values where one may be": (_raw("PatientID", b"P-1\\P-2 "), "PatientID that VR LO"),
    "an identifier of 70 characters": (_raw("PatientID", b"P" * 70), "PatientID that VR LO"),
    "a short string of 18 characters": (_raw("AccessionNumber", b"A" * 18), "AccessionNumber that VR SH"),
    "a name of four groups": (_raw("PatientName", b"A=B=C=D "), "PatientName that VR PN"),
    "a control character": (_raw("StudyDescription", b"Chest\x07"), "StudyDescription that VR LO"),
    "an element of nobody": (lambda report: report.add_new(0x00091001, "LO", "x"), "no table of the Standard"),
    "another research line": (_in(_COMMENT, _set(TextValue=" ")), "not be whole"),
    "no template": (_without("ContentTemplateSequence"), "TID 1500"),
    "another template": (_set(ContentTemplateSequence=[Dataset()]), "TID 1500|not one whole"),
    "a container run together": (_in(_GROUP, _set(ContinuityOfContent="CONTINUOUS")), "125007 of type CONTAINER"),
    "an empty group": (_in(_GROUP, _set(ContentSequence=[])), "125007 of type CONTAINER"),
    "an item of no type": (_in(_COMMENT, _without("ValueType")), "may not"),
    "an item of an unknown type": (_in(_COMMENT, _set(ValueType="SOUND")), "may not"),
    "an item without a name": (_in(_COMMENT, _emptied("ConceptNameCodeSequence")), "no name"),
    "an unknown relationship": (_in(_COMMENT, _set(RelationshipType="IS LIKE")), "may not"),
    "a relationship in the wrong place": (_in(_REGION, _set(RelationshipType="HAS CONCEPT MOD")), "may not"),
    "a code without a meaning": (_in("121071", _of_code(CodeMeaning="")), "121071 of type CODE"),
    "a code without a scheme": (_in("121071", _of_code(CodingSchemeDesignator="")), "121071 of type CODE"),
    "a certainty above 100 %": (_in(_CERTAINTY, _measured(NumericValue="187")), "111012 of type NUM"),
    "a certainty below 0 %": (_in(_CERTAINTY, _measured(NumericValue="-1")), "111012 of type NUM"),
    "a measurement without a unit": (_in(_CERTAINTY, _measured(MeasurementUnitsCodeSequence=[])), "111012"),
    "a measurement without a value": (_in(_CERTAINTY, _set(MeasuredValueSequence=[])), "111012 of type NUM"),
    "an image without a reference": (_in("121112", _set(ReferencedSOPSequence=[])), "121112 of type IMAGE"),
    "a region that is open": (_region(_REGION, lambda data: data[:-2]), "111030 of type SCOORD"),
    "a region of half a point": (_region(_REGION, lambda data: [*data, 1.0]), "111030 of type SCOORD"),
    "a region beside the image": (_region(_REGION, lambda data: [it + 500 for it in data]), "leave its image"),
    "a region left of the image": (_region(_REGION, lambda data: [it - 500 for it in data]), "111030 of type SCOORD"),
    "a region of infinity": (_region(_REGION, lambda data: [float("inf"), *data[1:]]), "GraphicData"),
    "a region on no image": (_in(_REGION, _set(ContentSequence=[])), "111030 of type SCOORD"),
    **{
        f"no {name}": (_dropped(name), f"no .*{name}|not be whole")
        for name in ("121049", "121005", "121012", "121058", "111028", "126010", "111065", _GROUP, "112039", "112040",
                     "111001", "111003", "121112")
    },
    "no line for a person in a group": (_in("126010", _dropped(_COMMENT)), "no line for a person"),
    "one tracking UID twice": (_twice, "the same tracking UID"),
    "a score of what was not assessed": (_refused_with_a_score, "score of an image that was not assessed"),
    "another algorithm name": (_in("111001", _set(TextValue="other")), "another ManufacturerModelName"),
    "another algorithm version": (_in("111003", _set(TextValue="9")), "another SoftwareVersions"),
    "another Device UID": (_in("121012", _set(UID="1.2.3")), "another DeviceUID"),
    "an image beside the evidence": (
        _in("121112", lambda item: _set(ReferencedSOPInstanceUID="1.2.3")(item.ReferencedSOPSequence[0])),
        "just the images of its evidence",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_report_that_was_changed_is_refused(reports: dict[str, bytes], name: str) -> None:
    """With what is wrong with it, and without a word of the patient's."""
    change, reason = MUTATIONS[name]
    with pytest.raises(Permanent, match=reason) as refusal:
        _checked(_mutated(reports[""], change))
    assert not any(word in str(refusal.value) for word in ("Doe", "P-1", "A-1"))


@pytest.mark.parametrize("character_set", NAMES)
def test_a_report_that_was_not_changed_passes(reports: dict[str, bytes], character_set: str) -> None:
    """Also when it was read and written again."""
    _checked(reports[character_set])
    _checked(_mutated(reports[character_set], lambda _: None))


_UTF_8, _GB = "王".encode(), "王".encode("gb18030")
_CHARACTER_SETS: dict[str, tuple[str, bytes, bytes]] = {
    "UTF-8 where none is declared": ("", b"StudyDescription", _UTF_8),
    "GB18030 in UTF-8": ("ISO_IR 192", b"StudyDescription", _GB),
    "half a character": ("ISO_IR 192", b"StudyDescription", _UTF_8[:2]),
}


@pytest.mark.parametrize("name", _CHARACTER_SETS)
def test_text_in_another_character_set_than_the_declared_is_refused(reports: dict[str, bytes], name: str) -> None:
    """However a reader would show it."""
    character_set, keyword, value = _CHARACTER_SETS[name]
    mutated = _mutated(reports[character_set], _raw(keyword.decode(), value + b" " * (len(value) % 2)))
    with pytest.raises(Permanent, match="StudyDescription that VR LO"):
        _checked(mutated)


@pytest.mark.filterwarnings("ignore")  # of pydicom, of what it does not know
@pytest.mark.parametrize("term", [b"ISO_IR 999", b"ISO 2022 IR 6\\ISO 2022 IR 58", b"UTF-8 "])
def test_a_character_set_that_is_not_one_known_term_is_refused(reports: dict[str, bytes], term: bytes) -> None:
    """Whatever the text is."""
    with pytest.raises(Permanent, match="SpecificCharacterSet"):
        _checked(_renamed(reports["ISO_IR 192"], term))


def _renamed(encoded: bytes, value: bytes) -> bytes:
    element = b"\x08\x00\x05\x00" + len(b"ISO_IR 192").to_bytes(4, "little") + b"ISO_IR 192"
    return encoded.replace(element, b"\x08\x00\x05\x00" + len(value).to_bytes(4, "little") + value)


@pytest.mark.parametrize("length", [1, 100, 1000])
def test_a_torn_report_is_refused(reports: dict[str, bytes], length: int) -> None:
    """However little of it is missing."""
    with pytest.raises(Permanent, match="not one whole dataset"):
        check_object(reports[""][:-length])


def test_a_text_that_would_be_read_as_another_is_refused(reports: dict[str, bytes]) -> None:
    """As when encoding put a question mark in the place of a character."""
    read = check_object(_mutated(reports[""], _in(_COMMENT, _set(TextValue="?"))))
    with pytest.raises(Permanent, match="read as another"):
        check_texts(read, check_object(reports[""]))
