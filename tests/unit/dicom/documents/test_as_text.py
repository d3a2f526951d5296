"""A report as text for a terminal."""

from pathlib import Path

from node.dicom.documents.as_text import report_text
from node.dicom.instance.part10 import read_part10
from node.dicom.samples.testfiles import test_file as pydicom_file
from node.domain.profile import PROFILES
from tests.support.objects.studies import study_of


def test_a_report_is_shown_as_a_tree(tmp_path: Path) -> None:
    """Names, values and units, indented by depth."""
    text = report_text(study_of(tmp_path, "positive", "GB18030").saying(profile=PROFILES["ohif"]).report())
    lines = text.splitlines()
    assert "patient:      Wang^XiaoDong=王^小东" in lines
    assert "Imaging Measurement Report" in lines
    assert "      Certainty of Finding: 87.3 %" in lines
    assert "      Z-score: 2.31 SD" in lines
    assert "      Comment: Pneumonia: flagged, score 0.87 (threshold 0.50)" in lines
    assert "      Pneumonia: Present" in lines
    assert any(line.startswith("        Image Region: POLYLINE of ") for line in lines)


def test_a_later_report_shows_what_it_replaces(tmp_path: Path) -> None:
    """By its UID."""
    study = study_of(tmp_path, "predecessor")
    assert f"replaces:     {study.content.predecessors[0].sop_instance_uid}" in report_text(study.report())


def test_reports_of_others_are_shown_too() -> None:
    """In their own transfer syntax, also where items are empty."""
    for name in ("reportsi.dcm", "reportsi_with_empty_number_tags.dcm", "test-SR.dcm"):
        part10 = read_part10(pydicom_file(name))
        assert len(report_text(part10.dataset, part10.transfer_syntax_uid).splitlines()) > 9


def test_a_text_value_cannot_write_lines_of_its_own_shape(tmp_path: Path) -> None:
    """Control characters of a value do not reach the terminal."""
    report = study_of(tmp_path, "positive").report().replace(b"P-1 ", b"\x07[1m")
    assert "patient ID:   [1m" in report_text(report).splitlines()
