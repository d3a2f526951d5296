"""Of what no report is made: what does not fit together, and what no image can have."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from node.domain.errors import Permanent
from node.domain.finding import Anomaly, Code, Finding, Outcome
from node.domain.identifiers import SOPInstanceUID
from tests.support.objects.studies import (
    LUNG,
    MODEL,
    PNEUMONIA,
    study_of,
)
from tests.unit.dicom.report.parsed import rewrite


def _finding(probability: float) -> tuple[Finding, ...]:
    return (Finding("pneumonia", PNEUMONIA, LUNG, probability, 0.5),)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"outcome": Outcome.NOT_ASSESSED}, "does not fit"),
        ({"study_instance_uid": "1.2.3"}, "another study"),
        ({"created_at": datetime(2026, 1, 1)}, "zone"),  # noqa: DTZ001 - that it has none is the case
        ({"readings": ()}, "not of the source images"),
        ({"model": replace(MODEL, device_uid="1..2")}, "no UID"),
        ({"model": replace(MODEL, name="x" * 65)}, "1 to 64"),
        ({"model": replace(MODEL, version="")}, "1 to 64"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value")
def test_no_report_is_made_of_what_does_not_fit_together(tmp_path: Path, changed: dict[str, Any], reason: str) -> None:
    """It is buried with its reason, and nothing invalid leaves."""
    with pytest.raises(Permanent, match=reason):
        study_of(tmp_path, "positive").saying(**changed).report()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"findings": _finding(1.5)}, "within 0 and 1"),
        ({"findings": _finding(float("nan"))}, "within 0 and 1"),
        ({"findings": (replace(_finding(0.9)[0], finding=Code("", "SCT", "x")),)}, "code"),
        ({"anomaly": Anomaly(float("inf"), 1.0)}, "finite"),
        ({"findings": (), "anomaly": None}, "says nothing"),
        ({"sop_instance_uid": SOPInstanceUID("1.2")}, "not of the source images"),
    ],
)
def test_no_report_is_made_of_an_impossible_reading(tmp_path: Path, changed: dict[str, Any], reason: str) -> None:
    """A probability is one, a code is one, and an admitted image has a finding."""
    study = study_of(tmp_path, "positive")
    readings = (replace(study.content.readings[0], **changed),)
    with pytest.raises(Permanent, match=reason):
        study.saying(readings=readings).report()


def test_no_report_is_made_without_sources(tmp_path: Path) -> None:
    """There is nobody that it could be about."""
    study = replace(study_of(tmp_path, "positive"), sources=[])
    with pytest.raises(Permanent, match="at least one"):
        study.report()


def test_no_report_is_made_of_two_patients_images(tmp_path: Path) -> None:
    """Nobody could say whose it is."""
    study = study_of(tmp_path, "two images")
    rewrite(study.sources[1], PatientID="P-2")
    with pytest.raises(Permanent, match="different Patient IDs") as refusal:
        study.report()
    assert "P-2" not in str(refusal.value)


def test_a_source_that_is_no_file_of_dicom_any_more_is_permanent(tmp_path: Path) -> None:
    """Trying again does not mend it."""
    study = study_of(tmp_path, "positive")
    study.sources[0].write_bytes(b"nothing")
    with pytest.raises(Permanent, match="cannot be parsed"):
        study.report()
