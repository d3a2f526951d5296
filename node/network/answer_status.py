"""What becomes of an instance, told by the status with which a peer answered its C-STORE.

References
----------
DICOM PS3.4 B.2.3 (Storage Service Class) and PS3.7 Annex C (every DIMSE service).
"""

from dataclasses import dataclass
from enum import StrEnum


class Answer(StrEnum):
    """What the sender does next."""

    #: The peer has the instance: nothing more is sent.
    SENT = "sent"
    #: The cause may pass without anyone's doing: the same bytes are sent again after a backoff.
    AGAIN = "again"
    #: Sending the same bytes again cannot succeed: an operator has to see it.
    BURIED = "buried"


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """The (0000,0900) Status of a C-STORE response, and its (0000,0902) Error Comment or the empty string."""

    status: int
    comment: str


@dataclass(frozen=True, slots=True)
class Band:
    """The statuses `first` to `last`, both included, and what they mean for a delivery."""

    first: int
    last: int
    answer: Answer
    meaning: str


#: The first band that holds a status decides. What no band holds is buried: nobody knows that it would ever pass.
_BANDS = (
    # PS3.4 B.2.3, success, and PS3.7 C.1 to C.4, warnings: the instance is stored in every one of these cases.
    Band(0x0000, 0x0000, Answer.SENT, "success"),
    Band(0x0001, 0x0001, Answer.SENT, "warning: optional attributes not supported"),
    Band(0x0107, 0x0107, Answer.SENT, "warning: attribute list error"),
    Band(0x0116, 0x0116, Answer.SENT, "warning: attribute value out of range"),
    Band(0xB000, 0xBFFF, Answer.SENT, "warning: coerced, elements discarded or dataset does not match the SOP class"),
    # PS3.7 C.5.9: the peer holds this UID already. Ours always names the same bytes, so an earlier attempt arrived.
    Band(0x0111, 0x0111, Answer.SENT, "duplicate SOP instance: the peer holds it already"),
    # PS3.4 B.2.3: disk full, database down, draining.
    Band(0xA700, 0xA7FF, Answer.AGAIN, "refused: out of resources"),
    # PS3.7 C.5.20: a general failure; archives answer it for a database that is busy or restarting.
    Band(0x0110, 0x0110, Answer.AGAIN, "processing failure"),
    # PS3.7 C.5.8: the message ID is in use; the next attempt has an association and message IDs of its own.
    Band(0x0210, 0x0210, Answer.AGAIN, "duplicate invocation"),
    # PS3.7 C.5.21
    Band(0x0213, 0x0213, Answer.AGAIN, "resource limitation"),
    # PS3.4 B.2.3: the object itself is refused. The same bytes meet the same answer.
    Band(0xA800, 0xA8FF, Answer.BURIED, "refused: SOP class not supported (an older edition's code)"),
    Band(0xA900, 0xA9FF, Answer.BURIED, "error: dataset does not match SOP class"),
    Band(0xC000, 0xCFFF, Answer.BURIED, "error: cannot understand"),
    # PS3.7 C.5: the request is wrong for this peer until someone changes the object, the peer or the configuration.
    Band(0x0105, 0x0105, Answer.BURIED, "no such attribute"),
    Band(0x0106, 0x0106, Answer.BURIED, "invalid attribute value"),
    Band(0x0112, 0x0112, Answer.BURIED, "no such SOP instance"),
    Band(0x0113, 0x0115, Answer.BURIED, "no such event type or argument, or invalid argument value"),
    Band(0x0117, 0x0117, Answer.BURIED, "invalid SOP instance"),
    Band(0x0118, 0x0119, Answer.BURIED, "no such SOP class, or not the class of this instance"),
    Band(0x0120, 0x0121, Answer.BURIED, "missing attribute or attribute value"),
    Band(0x0122, 0x0122, Answer.BURIED, "refused: SOP class not supported"),
    Band(0x0123, 0x0123, Answer.BURIED, "no such action"),
    Band(0x0124, 0x0124, Answer.BURIED, "refused: not authorised"),
    Band(0x0211, 0x0211, Answer.BURIED, "unrecognised operation"),
    Band(0x0212, 0x0212, Answer.BURIED, "mistyped argument"),
)

_UNKNOWN = Band(0x0000, 0xFFFF, Answer.BURIED, "a status that the Standard does not know for storage")


def sort_status(status: int) -> Answer:
    """Return what a C-STORE status means for the delivery.

    Parameters
    ----------
    status
        The (0000,0900) Status of the response, 0x0000 to 0xFFFF.

    References
    ----------
    DICOM PS3.4 B.2.3, PS3.7 Annex C.
    """
    return _band(status).answer


def status_meaning(status: int) -> str:
    """Return the meaning of a C-STORE status in a few words, for operators."""
    return _band(status).meaning


def bands() -> tuple[Band, ...]:
    """Return what each status means, in the order in which it is looked up."""
    return (*_BANDS, _UNKNOWN)


def _band(status: int) -> Band:
    return next((band for band in _BANDS if band.first <= status <= band.last), _UNKNOWN)


def worded(answer: StoreAnswer) -> str:
    """Return an answer for an operator: the status, its meaning, and the peer's own comment."""
    comment = f" ({answer.comment})" if answer.comment else ""
    return f"0x{answer.status:04X}, {status_meaning(answer.status)}{comment}"
