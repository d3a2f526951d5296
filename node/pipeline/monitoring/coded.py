"""What headers say, brought down to words that are the same everywhere: free text may hold a name, and stays here.

It knows words, no image. What is no known word is `OTHER`, what is not there `UNKNOWN`.

References
----------
DICOM PS3.3 C.7.3.1.1.1 (modality), C.7.1.1 (sex), C.8.1.1 and C.8.11.5 (view position); PS3.16 Annex L (body parts).
"""

import re
from collections.abc import Collection

from node.config.terms import MODALITIES

UNKNOWN, OTHER = "unknown", "other"

_BODIES = (
    "ABDOMEN ANKLE ARM BRAIN BREAST CALCANEUS CHEST CLAVICLE COCCYX CSPINE ELBOW FACE FEMUR FINGER FOOT FOREARM HAND "
    "HEAD HEART HIP HUMERUS JAW KNEE LEG LIVER LSPINE LUNG MANDIBLE NECK PATELLA PELVIS RIB SCAPULA SHOULDER SINUS "
    "SKULL SPINE SSPINE STERNUM THIGH THORAX THUMB TIBIA TOE TSPINE WHOLEBODY WRIST"
)
_POSITIONS = "AP PA LL RL RLD LLD RLO LLO LAT LATERAL OBLIQUE CC MLO ML LM"
_BODY_PARTS, _VIEWS, _SEXES = frozenset(_BODIES.split()), frozenset(_POSITIONS.split()), frozenset("MFO")
_MAKERS = (
    *("AGFA", "CANON", "CARESTREAM", "FUJI", "GENERAL ELECTRIC", "GE", "HITACHI", "HOLOGIC", "KODAK", "KONICA"),
    *("MINDRAY", "PHILIPS", "SAMSUNG", "SHIMADZU", "SIEMENS", "TOSHIBA", "UNITED IMAGING"),
)
_LETTERS = re.compile(r"[^A-Z0-9]+")


def modality(text: str) -> str:
    """Return a modality."""
    return _among(text, MODALITIES)


def body_part(text: str) -> str:
    """Return a body part; scanners write T-SPINE and TSPINE."""
    return _among(text, _BODY_PARTS)


def view(text: str) -> str:
    """Return a view position."""
    return _among(text, _VIEWS)


def sex(text: str) -> str:
    """Return a sex."""
    return _among(text, _SEXES)


def maker(text: str) -> str:
    """Return a maker of equipment, by the first words of its name."""
    words = f"{_LETTERS.sub(' ', text.upper()).strip()} "
    for name in _MAKERS:
        if words.startswith(f"{name} " if len(name) < 3 else name):
            return name
    return OTHER if words.strip() else UNKNOWN


def _among(text: str, known: Collection[str]) -> str:
    word = _LETTERS.sub("", text.upper())
    return word if word in known else OTHER if word else UNKNOWN
