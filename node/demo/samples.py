"""The studies that the demo sends.

Chest radiographs of nobody, painted by the generator that ships; and images of the installed pydicom package: some as
they are, which no model reads, and some wrapped as if they were chest radiographs, which must come back as "not
assessed".
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from node.dicom.instance.header import inspect
from node.dicom.instance.part10 import part10_of
from node.dicom.pixels.modality_values import read_pixels
from node.dicom.samples.testfiles import test_file
from node.dicom.samples.wrap import Subject, wrap_as_dx
from node.domain.identifiers import derived_uid
from node.pipeline.registry import synthesise

_LABELS = ("normal", "pneumonia")
_PER_LABEL = 3
_SEED = 1
_AS_THEY_ARE = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm")
_WRAPPED = ("693_J2KI.dcm", "examples_overlay.dcm", "image_dfl.dcm", "MR_small.dcm")


@dataclass(frozen=True, slots=True)
class Sample:
    """One study of one image."""

    title: str
    study_instance_uid: str
    part10: bytes
    expected: tuple[str, ...] | None  #: outcomes that show that the node works; None: no report may come
    truth: str | None = None  #: the outcome that a model that never errs would give, where it is known


def samples() -> list[Sample]:
    """Return the demo's studies, the same at every call.

    Raises
    ------
    OperatorError
        The generator that ships cannot be used.
    """
    painted = [sample for label in _LABELS for sample in _painted(label)]
    return painted + [_wrapped(name) for name in _WRAPPED] + [_as_it_is(name) for name in _AS_THEY_ARE]


def _painted(label: str) -> list[Sample]:
    studies = synthesise.studies(label, _PER_LABEL, _SEED)
    truth = "negative" if label == "normal" else "positive"
    return [_chest(f"synthetic chest, {label} {number}", study, truth) for number, study in enumerate(studies, 1)]


def _chest(title: str, study: bytes, truth: str) -> Sample:
    # the outcome of a single image is the model's to say; that it is an assessment is what the demo expects
    return Sample(title, _study_uid(study), study, ("positive", "negative"), truth)


def _wrapped(name: str) -> Sample:
    values = read_pixels(test_file(name)).values[0]
    return _dx(f"{name} as a chest", name, _as_unsigned(values), ("not_assessed",))


def _as_unsigned(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Scale any values to the 12 bits of a radiograph."""
    low, high = float(values.min()), float(values.max())
    return np.round((values - low) * (4095.0 / max(high - low, 1e-6))).astype(np.uint16)


def _dx(
    title: str, name: str, pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], expected: tuple[str, ...]
) -> Sample:
    study = derived_uid("demo study", name)
    subject = Subject(
        patient_id=f"DEMO-{derived_uid('demo patient', name)[-8:]}",
        patient_name="Demo^Sample",
        study_instance_uid=study,
        series_instance_uid=derived_uid("demo series", name),
        sop_instance_uid=derived_uid("demo instance", name),
        patient_age="003Y",
    )
    return Sample(title, study, wrap_as_dx(pixels, subject), expected)


def _as_it_is(name: str) -> Sample:
    data = test_file(name).read_bytes()
    return Sample(f"{name} as it is", _study_uid(data), data, None)


def _study_uid(file: bytes) -> str:
    part10 = part10_of(file)
    return inspect(part10.dataset, part10.transfer_syntax_uid).study_instance_uid
