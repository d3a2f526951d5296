"""On which side of the split a patient stands, for ever: it follows from a salted hash, and from nothing that changes.

It knows hashes and shares; where the salt and what was assigned are kept is `node.store.learning.splits`'s business.
"""

import hashlib
import hmac
from enum import StrEnum


class Side(StrEnum):
    """What a patient's images are for."""

    TRAIN = "train"
    """Networks are fitted to them."""

    VALIDATION = "validation"
    """What is chosen, calibrated and placed is chosen on them."""

    LOCKED = "locked"
    """No training reads them: the gate judges by them."""


_TWENTIETHS = (Side.TRAIN,) * 13 + (Side.VALIDATION,) * 3 + (Side.LOCKED,) * 4


def pseudonym(salt: bytes, kind: str, *parts: str) -> str:
    """Return what stands for a patient or an image where its name must not: 24 hexadecimal digits of a keyed hash.

    Parameters
    ----------
    salt
        The site's own; without it nobody can tell whose it is.
    kind
        What is named, such as patient or image, so that equal parts of two kinds have nothing in common.
    parts
        What identifies it, such as issuer and Patient ID.
    """
    said = "\0".join((f"pacs-node {kind}", *parts)).encode("utf-8", "surrogatepass")
    return hmac.new(salt, said, hashlib.sha256).hexdigest()[:24]


def side_of(salt: bytes, patient: str) -> Side:
    """Return the side of a patient: 65 % train, 15 % validation, 20 % locked.

    Parameters
    ----------
    salt
        The site's own.
    patient
        The pseudonym.
    """
    place = int(pseudonym(salt, "side", patient), 16)
    return _TWENTIETHS[place % len(_TWENTIETHS)]
