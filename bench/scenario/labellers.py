"""Readers of the scenario: each marks images as its viewer does, and sends what it saves by C-STORE.

The forms take turns: Weasis' Key Objects, those of the Standard, OHIF's reports of a typed label, and coded findings.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import Dataset, dcmwrite

from bench.scenario.hospitals import Study
from bench.sending.upper_layer import Instance
from node.domain.identifiers import derived_uid
from tests.support.objects import labels

SAID = {
    "weasis": ("no pneumonia", "pneumonia"),
    "standard": ("未见肺炎", "肺炎"),
    "ohif": ("No evidence of pneumonia", "Pneumonia"),
    "coded": ("", ""),
}
"""What each reader writes where there is none, and where there is one."""

CALLING = {"weasis": "WEASIS", "standard": "REVIEW", "ohif": "OHIF", "coded": "REPORTS"}
_READERS = {"standard": "Grey^Meredith", "ohif": "Yang^Cristina", "coded": "Bailey^Miranda"}  # Weasis names nobody


@dataclass(frozen=True, slots=True)
class Marked:
    """An object in which a reader has marked an image, and who sends it."""

    form: str
    instance: Instance


def marked(some: Sequence[Study]) -> list[Marked]:
    """Return an object for each study, the forms in turn."""
    forms = list(SAID)
    return [_marked(study, forms[number % len(forms)]) for number, study in enumerate(some)]


def _marked(study: Study, form: str) -> Marked:
    uid = derived_uid("second hospital", "label", form, study.uid)
    dataset = _of_its_study(_made(study, form, uid), study)
    encoded = io.BytesIO()
    dcmwrite(encoded, dataset, implicit_vr=False, little_endian=True)
    return Marked(form, Instance(str(dataset.SOPClassUID), uid, encoded.getvalue()))


def _made(study: Study, form: str, uid: str) -> Dataset:
    text, images = SAID[form][study.label], [study.image_uid]
    if form == "weasis":
        return labels.weasis(text, images, uid, study.uid)
    if form == "standard":
        return labels.standard("113000", text, images, uid, _READERS[form])
    if form == "ohif":
        tracked = derived_uid("second hospital", "tracking", study.uid)
        return labels.ohif(text, images, uid, reader=_READERS[form], tracking_uid=tracked)
    return labels.coded((labels.ABSENT, labels.PRESENT)[study.label], images=images, uid=uid, reader=_READERS[form])


def _of_its_study(dataset: Dataset, study: Study) -> Dataset:
    dataset.StudyInstanceUID = study.uid
    dataset.PatientID, dataset.PatientName = study.patient, f"{study.patient}^Scenario"
    for item in dataset.get("CurrentRequestedProcedureEvidenceSequence", ()):
        item.StudyInstanceUID = study.uid
        for series in item.ReferencedSeriesSequence:
            series.SeriesInstanceUID = f"{study.uid}.1"
    return dataset
