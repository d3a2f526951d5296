"""A painted image made into a DX study of nobody, that says so wherever a person or a program may look.

It knows an array and where it came from, and no generator.

References
----------
DICOM PS3.3 C.12.1 ((0008,001C) Synthetic Data), C.7.6.1 (Image Comments, Derivation Description)
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from node.dicom.encoding.values import LONG_STRING, cut
from node.dicom.samples.wrap import Subject, as_file, dx_dataset
from node.domain.identifiers import derived_uid

PATIENT_NAME = "SYNTHETIC^NO PATIENT"
PATIENT_ID_PREFIX = "SYNTHETIC-"

_AGE = "003Y"  # within the ages of the children whose radiographs the shipped generator has seen
_FIELD_MM = 250.0  #: side of what a chest radiograph of a small child shows
_BRIGHTEST = 65535  # 16 bits, so that rounding does not show in a painted image of little contrast


@dataclass(frozen=True, slots=True)
class Origin:
    """What painted an image, and which of its images it is: this alone decides everything in the file."""

    generator: str  #: its name
    version: str
    digest: str  #: SHA-256 of the generator's manifest, hexadecimal
    made_on: str  #: YYYYMMDD, the day that the generator was made; the study's date
    data: str  #: what it learned from, with the licence
    label: str
    seed: int
    number: int  #: of the image among those of this label and seed, from 1


def synthetic_study(image: npt.NDArray[np.float32], origin: Origin) -> bytes:
    """Return a whole DICOM file: a study of one image, Digital X-Ray Image Storage - For Presentation.

    Parameters
    ----------
    image
        Shape (rows, columns), in [0, 1], low values dark.
    origin
        Where it came from; the same origin gives the same UIDs, and with the same image the same bytes.

    Raises
    ------
    ValueError
        The image has another shape or values out of range.
    """
    if image.ndim != 2 or not image.size or not (image >= 0).all() or not (image <= 1).all():
        raise ValueError(f"a synthetic image has rows and columns and values from 0 to 1, not the shape {image.shape}")
    dataset = dx_dataset(np.round(image * np.float32(_BRIGHTEST)).astype(np.uint16), _subject(origin))
    dataset.SyntheticData = "YES"
    dataset.ImageType = ["DERIVED", "SECONDARY", ""]
    dataset.SeriesDescription = cut(f"SYNTHETIC {origin.label}", LONG_STRING)
    dataset.ImageComments = _comments(origin)
    dataset.DerivationDescription = (
        "SYNTHETIC: painted by a generative network, acquired by no equipment, of no patient"
    )
    dataset.ManufacturerModelName = cut(f"generator {origin.generator}", LONG_STRING)
    dataset.SoftwareVersions = cut(origin.version, LONG_STRING)
    dataset.ImagerPixelSpacing = [f"{_FIELD_MM / length:.6f}" for length in image.shape]
    return as_file(dataset)


def _subject(origin: Origin) -> Subject:
    key = (origin.digest, origin.label, str(origin.seed), str(origin.number))
    study = derived_uid("synthetic study", *key)
    return Subject(
        patient_id=PATIENT_ID_PREFIX + study[-12:],
        patient_name=PATIENT_NAME,
        study_instance_uid=study,
        series_instance_uid=derived_uid("synthetic series", *key),
        sop_instance_uid=derived_uid("synthetic instance", *key),
        patient_age=_AGE,
        study_date=origin.made_on,
        study_time="000000",
        study_description="SYNTHETIC chest radiograph of no patient",
        study_id=str(origin.number),
    )


def _comments(origin: Origin) -> str:
    return (
        f"SYNTHETIC image of no patient, not for diagnosis. Label {origin.label}, seed {origin.seed}, number "
        f"{origin.number}, painted by generator {origin.generator} {origin.version} (manifest SHA-256 "
        f"{origin.digest}), which learned from {origin.data}."
    )
