"""Reports in every language that ships: all that a person reads, in short lines, and nothing of it worded in code."""

import ast
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset

from node.dicom.report import tree
from node.dicom.result.lines import finding_line, research_lines
from node.dicom.result.study_summary import summary
from node.domain.errors import Permanent
from node.domain.finding import Cause, Finding
from node.domain.words import ENGLISH, languages, words_in
from tests.support.objects.reports import coded_values, concept, content_items
from tests.support.objects.studies import CASES, LUNG, MODEL, PNEUMONIA, Study, clip, slices, study_of
from tests.unit.dicom.report.parsed import parsed

_DICOM = Path(__file__).resolve().parents[4] / "node" / "dicom"
_WRITERS = (
    "result/lines",
    "result/study_summary",
    "report/tree",
    "report/document_header",
    "result/object_header",
    "companions/plain_text",
    "companions/heat_map_object",
)
#: The same in every language: programs compare them.
_FOR_PROGRAMS = {"not assessed", "Not assessed", "weights SHA-256 "}
_SEVERAL_WORDS = re.compile(r"\w\W*\s\W*\w")
_COLUMNS = 70  # OHIF cuts longer lines at the edge of the viewport


def _lines(report: Dataset) -> list[str]:
    return [str(item.TextValue) for item in content_items(report) if concept(item) == "121106"]


def _in_groups(report: Dataset) -> list[str]:
    return [line for item in content_items(report) if concept(item) == "125007" for line in _lines(item)]


def _columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line)


def _studies(folder: Path) -> Iterator[Study]:
    yield from (study_of(folder, case) for case in CASES)
    yield study_of(folder, "two images").saying(unread=3, synthetic=True)
    yield slices(folder, 40)
    yield clip(folder, 30)


def test_a_chinese_report_is_chinese_and_says_so(tmp_path: Path) -> None:
    """In UTF-8, because the images' character set holds no Chinese; what programs compare is as ever."""
    study = study_of(tmp_path, "positive", "ISO_IR 100")
    english, report = parsed(study), parsed(study.saying(language="zh"))
    assert (english.SpecificCharacterSet, report.SpecificCharacterSet) == ("ISO_IR 100", "ISO_IR 192")
    assert report.PatientName == english.PatientName
    assert report.SeriesDescription == "AI 研究结果：starter"
    assert report.ContributingEquipmentSequence[0].ContributionDescription == "自动读片，研究结果"
    assert coded_values(report) ^ coded_values(english) == {"en", "zh"}
    assert _in_groups(report) == [
        "研究结果，由 starter 1.0.0 生成。",
        "本软件并非获批上市的医疗器械。",
        "不得用于诊断或治疗。未经医师审核。",
        "肺炎：已标记，评分 0.87（阈值 0.50）",
        "至少有一项所见已标记（已评估图像 1/1 幅）。",
        "异常程度：z 值 2.31，高于每 100 幅正常图像中的 98 幅",
        "正常图像：训练留出图像或本院图像，部分可能经过改动。",
    ]


def test_a_chinese_report_of_chinese_images_keeps_their_character_set(tmp_path: Path) -> None:
    """Where it holds all of the text."""
    study = study_of(tmp_path, "positive", "ISO_IR 192").saying(language="zh")
    assert parsed(study).SpecificCharacterSet == "ISO_IR 192"


@pytest.mark.parametrize("language", languages())
def test_the_first_lines_of_every_report_are_the_research_line(tmp_path: Path, language: str) -> None:
    """Whole and in its order: of the report as a whole in one line, and beside every image in several."""
    first = research_lines(words_in(language), MODEL)
    for study in _studies(tmp_path):
        report = parsed(study.saying(language=language))
        assert _lines(report)[0] == words_in(language).language["between_lines"].join(first)
        assert _in_groups(report)[: len(first)] == first


def test_a_report_that_does_not_begin_with_the_research_line_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever becomes of the code that writes it: nothing without it reaches the outbox."""
    study = study_of(tmp_path, "positive")
    monkeypatch.setattr(tree, "summary", lambda content, sources: summary(content, sources)[1:])
    with pytest.raises(Permanent, match="would not begin with what it is: a research result"):
        study.report()


@pytest.mark.parametrize("language", languages())
def test_the_first_five_lines_beside_an_image_say_what_counts(tmp_path: Path, language: str) -> None:
    """OHIF shows no more of a group: what this is, what was found in the image, and what the study comes to."""
    words, study = words_in(language), study_of(tmp_path, "two images").saying(language=language, unread=3)
    assert _in_groups(parsed(study))[:5] == [
        *research_lines(words, MODEL),
        finding_line(words, MODEL, study.content.readings[0].findings[0]),
        words.line("positive", assessed=2, images=5),
    ]


@pytest.mark.parametrize("language", languages())
def test_no_line_beside_an_image_is_longer_than_viewers_show(tmp_path: Path, language: str) -> None:
    """One statement to a line; a Chinese character is two columns wide."""
    for study in _studies(tmp_path):
        of_node = replace(study.content.model, version="1.0.0+0123abcd")
        lines = _in_groups(parsed(study.saying(language=language, model=of_node)))
        shown = [line for line in lines if str(study.content.readings[-1].sop_instance_uid)[:12] not in line]
        assert [line for line in shown if _columns(line) > _COLUMNS] == []


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_a_line_and_a_code(tmp_path: Path, language: str, cause: Cause) -> None:
    """Also the one of a reading that an older version kept without a cause."""
    study = study_of(tmp_path, "failed").saying(language=language)
    (reading,) = study.content.readings
    for known in (cause, None) if cause is Cause.READING_FAILED else (cause,):
        told = replace(reading, admission=replace(reading.admission, cause=known))
        report = parsed(study.saying(readings=(told,)))
        assert _in_groups(report)[3] == words_in(language).line(cause)
        assert len(coded_values(report) & {"128619", "110501", "110521", "110523", "114008"}) == 1
        assert len(coded_values(report) & {"111224", "111225"}) == 1


@pytest.mark.parametrize(
    ("language", "local", "line"),
    [
        ("en", False, "Pneumonia: flagged, score 0.87 (threshold 0.50)"),
        ("en", True, "Pneumonia: flagged, probability 87.3 % (threshold 50.0 %)"),
        ("zh", False, "肺炎：已标记，评分 0.87（阈值 0.50）"),
        ("zh", True, "肺炎：已标记，概率 87.3 %（阈值 50.0 %）"),
    ],
)
def test_a_score_is_a_percentage_only_once_it_was_calibrated_on_labels_of_the_site(
    language: str,
    local: bool,  # noqa: FBT001
    line: str,
) -> None:
    """Before that, it tells of another site's patients."""
    finding = Finding("pneumonia", PNEUMONIA, LUNG, 0.873, 0.5)
    assert finding_line(words_in(language), replace(MODEL, calibrated_on_local_labels=local), finding) == line


def test_a_percentage_never_contradicts_its_verdict() -> None:
    """More digits where one would show the wrong side."""
    model = replace(MODEL, calibrated_on_local_labels=True)
    line = finding_line(words_in("en"), model, Finding("pneumonia", PNEUMONIA, LUNG, 0.49996, 0.5))
    assert line == "Pneumonia: not flagged, probability 49.996 % (threshold 50.000 %)"


def test_no_percentage_stands_in_the_lines_of_a_model_that_was_not_calibrated_here(tmp_path: Path) -> None:
    """Neither of a score nor of anything else."""
    for study in _studies(tmp_path):
        assert [line for line in _lines(parsed(study)) if "%" in line] == []


@pytest.mark.parametrize("module", _WRITERS)
def test_no_sentence_is_left_in_code(module: str) -> None:
    """Words that a person reads come from the language's file; errors and docstrings are no part of a report."""
    parsed = ast.parse((_DICOM / f"{module}.py").read_text(encoding="utf-8"))
    skipped = {
        id(part)
        for node in ast.walk(parsed)
        if isinstance(node, ast.Raise)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("derived_uid"))
        for part in ast.walk(node)
    }
    texts = {
        node.value
        for node in ast.walk(parsed)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped
    }
    assert {text for text in texts if _SEVERAL_WORDS.search(text)} <= _FOR_PROGRAMS


def test_every_sentence_is_said_somewhere() -> None:
    """Nothing is translated for nobody."""
    sources = [*_DICOM.rglob("*.py"), _DICOM.parent / "domain" / "profile.py"]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    known = {*Cause, *(key for key in words_in(ENGLISH).sentences if f'"{key}"' in code)}
    assert words_in(ENGLISH).sentences.keys() - known == set()
