"""One report in several SOP classes."""

from dataclasses import replace
from pathlib import Path

import pytest

from node.dicom.report.build import build_report
from node.dicom.report.encoded_forms import build_forms
from node.domain.errors import Permanent
from node.domain.identifiers import SOPInstanceUID
from node.domain.profile import DEFAULT
from node.domain.report import ReportIdentity, report_identity
from tests.support.objects.studies import MODEL, NAMES, Study, study_of


def _identities(study: Study) -> list[ReportIdentity]:
    inputs = tuple(reading.sop_instance_uid for reading in study.content.readings)
    uid = study.content.study_instance_uid
    return [report_identity(uid, MODEL, inputs, sop_class) for sop_class in DEFAULT.sop_classes]


@pytest.mark.parametrize("character_set", NAMES)
def test_each_form_is_the_report_that_is_built_for_it_alone(tmp_path: Path, character_set: str) -> None:
    """To the byte, whatever stands before the UIDs."""
    study = study_of(tmp_path, "positive", character_set)
    identities = _identities(study)
    forms = build_forms(study.content, identities, study.sources)
    assert forms == [build_report(study.content, identity, study.sources) for identity in identities]
    assert len(set(forms)) == 3


def test_no_form_names_another_of_its_own_as_predecessor(tmp_path: Path) -> None:
    """As where the same images are read again by the same version."""
    study = study_of(tmp_path, "positive")
    identities = _identities(study)
    again = replace(study.content, predecessors=(identities[1], *study.content.predecessors))
    assert build_forms(again, identities, study.sources) == build_forms(study.content, identities, study.sources)


@pytest.mark.parametrize("number", range(3))
def test_a_form_under_a_uid_that_is_none_is_refused(tmp_path: Path, number: int) -> None:
    """Whichever of them it is: each is looked at before it may leave."""
    study = study_of(tmp_path, "positive")
    identities = _identities(study)
    identities[number] = replace(identities[number], sop_instance_uid=SOPInstanceUID("2.25.one"))
    with pytest.raises(Permanent, match="SOPInstanceUID that is no UID"):
        build_forms(study.content, identities, study.sources)
