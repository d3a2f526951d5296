"""By which rule each form of object is read, and what is never taken for a label."""

from pathlib import Path

import pytest
from pydicom import Dataset

from node.dicom.documents.label_object import read_label_object
from node.domain.label import LabelRule, Verdict
from node.domain.label_text import vocabulary
from node.pipeline.labels.rules import Known, Understood, understood
from tests.support.objects.labels import (
    ABSENT,
    IMAGE,
    PRESENT,
    UNDETERMINED,
    coded,
    in_words,
    of_device,
    ohif,
    standard,
    verified,
    weasis,
)
from tests.support.objects.notes import code, file_of

OUR_DEVICE = "2.25.4242"
pytestmark = pytest.mark.filterwarnings("ignore:The value length")  # OHIF's code is longer than a code may be


def _understood(folder: Path, document: Dataset) -> Understood:
    path = folder / "object.dcm"
    path.write_bytes(file_of(document))
    return understood(read_label_object(path), vocabulary({}, {}), {}, Known(frozenset({OUR_DEVICE})))


@pytest.mark.parametrize(
    ("document", "expected", "rule"),
    [
        (weasis("Pneumonia"), True, LabelRule.KEY_OBJECT_TEXT),
        (weasis("no evidence of pneumonia"), False, LabelRule.KEY_OBJECT_TEXT),
        (weasis("右下肺肺炎"), True, LabelRule.KEY_OBJECT_TEXT),
        (weasis("未见肺炎"), False, LabelRule.KEY_OBJECT_TEXT),
        (standard("113004", "RLL PNEUMONIA"), True, LabelRule.KEY_OBJECT_TEXT),
        (ohif("pneumonia", scheme="CST4"), True, LabelRule.FINDING_TEXT),
        (ohif("no pneumonia"), False, LabelRule.FINDING_TEXT),
        (ohif("pneumonia", in_site=True), True, LabelRule.FINDING_TEXT),
        (coded(), True, LabelRule.FINDING_CODE),
        (coded(PRESENT), True, LabelRule.FINDING_CODE),
        (coded(ABSENT), False, LabelRule.FINDING_CODE),
        (coded(ABSENT, by_presence=True), False, LabelRule.FINDING_CODE),
        (in_words("No pneumonia."), False, LabelRule.FINDING_TEXT),
        (verified(of_device(), "Grey^Meredith"), True, LabelRule.FINDING_CODE),
    ],
)
def test_each_form_is_read_by_its_rule(
    tmp_path: Path,
    document: Dataset,
    expected: bool,  # noqa: FBT001 - a parameter of the test
    rule: LabelRule,
) -> None:
    """Key Objects of Weasis and of the Standard, OHIF's free text, coded findings, words, and what is verified."""
    said = _understood(tmp_path, document)
    assert [(word.class_name, word.present, word.rule) for word in said.words] == [("pneumonia", expected, rule)]
    (word,) = said.words
    assert ([image.sop_instance_uid for image in word.images] or list(word.studies)) in ([IMAGE], ["1.2.3"])


@pytest.mark.parametrize(
    ("document", "state", "reason"),
    [
        (weasis("Of Interest"), "unmapped", "its text names no class"),
        (weasis(""), "unmapped", "its text names no class"),
        (weasis("pneumonia not excluded"), "unmapped", "in doubt"),
        (weasis("肺炎待排"), "unmapped", "in doubt"),
        (weasis("no effusion, pneumonia"), "unmapped", "not plain"),
        (weasis("pneumonia", images=()), "unmapped", "no image"),
        (ohif("spiculated mass"), "unmapped", "names no class"),
        (coded(UNDETERMINED), "unmapped", "undetermined"),
        (coded(finding=code("36118008", "Pneumothorax", "SCT")), "unmapped", "names no class"),
        (of_device(), "ignored", "a device says it"),
        (of_device(device_uid=OUR_DEVICE), "ignored", "a model of this node"),
    ],
)
def test_what_no_rule_reads_labels_nothing_and_says_why(
    tmp_path: Path, document: Dataset, state: str, reason: str
) -> None:
    """Whatever looks like a label and is none."""
    said = _understood(tmp_path, document)
    assert (said.verdict, said.words) == (Verdict(state), ())
    assert reason in said.reason
