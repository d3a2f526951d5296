"""Words of a model's rule as headers write them, so that a slip of the pen is no model that silently reads nothing."""

from typing import Annotated

from pydantic import AfterValidator, Field

from node.domain.profile import PROFILES
from node.domain.words import words_in

# DICOM PS3.3 C.7.3.1.1.1, the retired ones at the end
_DEFINED = (
    "ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT "
    "IVUS KER KO LEN LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG "
    "RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA "
    "XA XAPROTOCOL XC AS CD CF CP CS DD DF DM DS EC FA FS LP MA MS OPR ST VF"
)
MODALITIES = frozenset(_DEFINED.split())
"""Every Modality (0008,0060) that the Standard defines."""


def _code(value: str) -> str:
    code = value.strip().upper()
    if not code:
        raise ValueError("an empty word names nothing: leave it out; what a header does not say turns nothing away")
    return code  # whatever its characters: scanners write T-SPINE, which is no CS value


def _modality(value: str) -> str:
    code = value.strip().upper()
    if code not in MODALITIES:
        raise ValueError(
            "no Modality (0008,0060) of DICOM PS3.3 C.7.3.1.1.1; radiographs are CR or DX, mammograms MG, ultrasound US"
        )
    return code


def _text(value: str) -> str:
    text = value.strip()
    if not text:
        raise ValueError('an empty name is that of nobody: leave it out, or "*" for any that is there')
    return text


def _profile(value: str) -> str:
    if value not in PROFILES:
        raise ValueError(f"no profile: {', '.join(PROFILES)} are known (docs/profiles.md says what each is for)")
    return value


def _language(value: str) -> str:
    return words_in(value).tag


def once_each(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return values of which none is given twice."""
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f'"{value}" is given more than once')
    return values


CodeString = Annotated[str, AfterValidator(_code)]
"""What stands in an element of VR CS, in upper case."""

Modalities = Annotated[tuple[Annotated[str, AfterValidator(_modality)], ...], Field(min_length=1)]
"""At least one modality, in upper case."""

Names = tuple[Annotated[str, AfterValidator(_text)], ...]
"""Names of makers or institutions, none of them empty."""

ProfileName = Annotated[str, AfterValidator(_profile)]
"""The name of a destination profile."""

Language = Annotated[str, AfterValidator(_language)]
"""The tag of a language that ships, whose file is whole."""
