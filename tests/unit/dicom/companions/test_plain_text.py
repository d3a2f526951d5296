"""The text companion of a report: the same words about the same images, in a document that any viewer shows."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset

from node.dicom.check.report_content import BASIC_TEXT_SR
from node.dicom.companions.plain_text import build_text
from node.domain.errors import Permanent
from node.domain.finding import Outcome
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, derived_uid
from tests.support.objects.reports import coded_values, concept, content_items
from tests.support.objects.studies import CASES, NAMES, Study, clip, slices, study_of

_RESEARCH = {
    "en": "RESEARCH RESULT by starter 1.0.0. Not a cleared medical device. Not for diagnosis or treatment. Unverified.",
    "zh": "研究结果，由 starter 1.0.0 生成。本软件并非获批上市的医疗器械。不得用于诊断或治疗。未经医师审核。",
}


def _companion(study: Study) -> Dataset:
    uid = SOPInstanceUID(derived_uid("text", study.identity.sop_instance_uid))
    series = SeriesInstanceUID(derived_uid("text series", study.identity.series_instance_uid))
    identity = replace(study.identity, sop_instance_uid=uid, series_instance_uid=series, sop_class_uid=BASIC_TEXT_SR)
    encoded = build_text(study.content, identity, study.sources)
    dataset = read_dataset(io.BytesIO(encoded), is_implicit_VR=True, is_little_endian=True)
    dataset.walk(lambda *_: None)  # decode all of it while the character set of the top level is at hand
    return dataset


def _texts(dataset: Dataset) -> list[str]:
    return [str(item.TextValue) for item in content_items(dataset) if concept(item) == "121106"]


def test_the_companion_says_what_the_report_says(tmp_path: Path) -> None:
    """The research line first, then the result, its dates, and what was found in each image."""
    assert _texts(_companion(study_of(tmp_path, "two images"))) == [
        _RESEARCH["en"],
        "At least one finding is flagged (images assessed: 2 of 2).",
        "Study, Pneumonia: flagged, in 1 of 2 (threshold 0.50)",
        "Key image, Pneumonia: series 1, image 1 (AP)",
        "Date of the study: 2026-01-02",
        "Made: 2026-11-21 08:30",
        "Image: series 1, image 1 (AP)",
        "Pneumonia: flagged, score 0.90 (threshold 0.50)",
        "Abnormality: z-score 2.31, above 98 of 100 normals",
        "Normals: held out in training, or a site's; some may be altered.",
        "Image: series 1, image 2 (AP)",
        "Pneumonia: not flagged, score 0.10 (threshold 0.50)",
        "Abnormality: z-score 2.31, above 98 of 100 normals",
        "Normals: held out in training, or a site's; some may be altered.",
    ]


def test_a_chinese_companion_is_chinese_and_says_so(tmp_path: Path) -> None:
    """In UTF-8, because the images' character set holds no Chinese."""
    report = _companion(study_of(tmp_path, "not assessed", "ISO_IR 100").saying(language="zh"))
    assert report.SpecificCharacterSet == "ISO_IR 192"
    assert report.SeriesDescription == "AI 研究结果（文本）：starter"
    assert "zh" in coded_values(report)
    assert _texts(report) == [
        _RESEARCH["zh"],
        "本次检查未评估（已评估图像 0/1 幅）。",
        "检查日期：2026年01月02日",
        "生成时间：2026年11月21日 08:30",
        "图像：序列 1，图像 1（AP）",
        "未评估：图像与模型的训练图像不相似。",
        "准入评分 9.00，上限 3.00。",
    ]


@pytest.mark.parametrize("case", CASES)
def test_the_companion_is_a_basic_text_document_in_a_series_of_its_own(tmp_path: Path, case: str) -> None:
    """With the header and the evidence of the report, no template, and neither numbers nor regions."""
    study = study_of(tmp_path, case)
    report = _companion(study)
    assert (report.SOPClassUID, report.Modality, report.SeriesNumber) == (BASIC_TEXT_SR, "SR", 9003)
    assert (report.PatientID, report.VerificationFlag, report.CompletionFlag) == ("P-1", "UNVERIFIED", "COMPLETE")
    assert "ContentTemplateSequence" not in report
    assert {item.ValueType for item in content_items(report)} <= {"CODE", "CONTAINER", "IMAGE", "TEXT", "UIDREF"}
    containers = [report, *(item for item in content_items(report) if item.ValueType == "CONTAINER")]
    assert {item.ContinuityOfContent for item in containers} == {"SEPARATE"}
    assert _texts(report)[0] == _RESEARCH["en"]
    (of_study,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = of_study.ReferencedSeriesSequence
    assert len(series.ReferencedSOPSequence) == len(study.sources)


@pytest.mark.parametrize(
    ("case", "codes"),
    [("positive", {"111222"}), ("not assessed", {"111225", "128619"}), ("failed", {"111224", "110521"})],
)
def test_how_the_analysis_went_stands_in_code_too(tmp_path: Path, case: str, codes: set[str]) -> None:
    """For programs that read no sentences."""
    assert coded_values(_companion(study_of(tmp_path, case))) == codes | {"en", "121007"}


@pytest.mark.parametrize("character_set", NAMES)
def test_the_patient_is_that_of_the_images(tmp_path: Path, character_set: str) -> None:
    """Whatever the language of the text."""
    assert (
        _companion(study_of(tmp_path, "positive", character_set).saying(language="zh")).PatientName
        == (NAMES[character_set])
    )


def test_of_many_images_the_companion_goes_into_those_that_the_report_goes_into(tmp_path: Path) -> None:
    """And refers to each of them, and in its library to all."""
    report = _companion(slices(tmp_path, 40))
    assert sum(text.startswith("Image: ") for text in _texts(report)) < 10
    assert sum(item.ValueType == "IMAGE" for item in content_items(report)) > 40
    frames = [text for text in _texts(_companion(clip(tmp_path, 5))) if text.startswith("Image: ")]
    assert [frame.rpartition(" ")[2] for frame in frames] == ["5", "4", "3", "1", "2"]  # what decided stands first


def test_times_are_those_of_the_images_zone(tmp_path: Path) -> None:
    """As in the header of the same document."""
    study = study_of(tmp_path, "positive")
    assert isinstance(study.sources[0], Path)
    source = dcmread(study.sources[0])
    source.TimezoneOffsetFromUTC = "+0800"
    source.save_as(study.sources[0])
    report = _companion(study)
    assert (report.ContentTime, report.TimezoneOffsetFromUTC) == ("163000", "+0800")
    assert "Made: 2026-11-21 16:30" in _texts(report)


def test_a_companion_that_would_not_be_valid_is_not_made(tmp_path: Path) -> None:
    """It is checked as a report is."""
    with pytest.raises(Permanent, match="does not fit the readings"):
        _companion(study_of(tmp_path, "positive").saying(outcome=Outcome.NOT_ASSESSED))
