"""Peers: where one listens, how long to wait for it, and the ways in which it does not take what it is sent."""

import time
from dataclasses import dataclass
from typing import Self

from node.domain.errors import Permanent, Transient


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where a peer listens, and the AE title that it answers to."""

    ae_title: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.ae_title} at {self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a requestor waits, in seconds.

    Parameters
    ----------
    connect_s, association_s
        For the connection, and for the association.
    answer_s
        For each answer, from its beginning to its end, and for the peer to take a PDU.
    query_s
        For all answers to one query.
    retrieve_s
        For a study to come that a peer was asked for.
    cancel_s
        For the end of what the peer was asked to cancel.
    """

    connect_s: float = 10.0
    association_s: float = 30.0
    answer_s: float = 120.0
    query_s: float = 600.0
    retrieve_s: float = 6 * 3600.0
    cancel_s: float = 30.0


@dataclass(frozen=True, slots=True, order=True)
class Deadline:
    """A moment of the monotonic clock in seconds, and how long before it the waiting began."""

    at: float
    within_s: float

    @classmethod
    def within(cls, seconds: float) -> Self:
        """Return the one that is so many seconds from now."""
        return cls(time.monotonic() + seconds, seconds)

    @property
    def left_s(self) -> float:
        """How long it is until then; 0 where it has passed."""
        return max(self.at - time.monotonic(), 0.0)

    @property
    def is_over(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() >= self.at


class PeerUnreachable(Transient):
    """The peer did not take what was sent, for a cause that may pass; the message is one sentence for an operator."""


class AssociationLost(PeerUnreachable):
    """The peer ended an association that stood, or the connection broke; it has not merely fallen silent."""


class ContextNotAccepted(Permanent):
    """The peer takes instances of this SOP class in this transfer syntax on no presentation context."""


class PeerRefused(Transient):
    """The peer answered a request with a failure status.

    Parameters
    ----------
    peer
        Who refused.
    asked
        What it was asked, such as ``C-FIND``.
    status
        The (0000,0900) Status.
    comment
        The (0000,0902) Error Comment, empty where there is none.
    """

    def __init__(self, peer: PeerAddress, asked: str, status: int, comment: str = "") -> None:
        said = f" ({comment})" if comment else ""
        super().__init__(f"{peer} answered {asked} with status 0x{status:04X}, {_status_in_words(status)}{said}")
        self.status = status
        self.comment = comment


def _status_in_words(status: int) -> str:
    """Return what a failure means (PS3.4 C.4.1.1.4, C.4.2.1.5; PS3.7 Annex C)."""
    words = {
        0xFE00: "it cut its answers short",
        0xA701: "out of resources: it cannot count the matches",
        0xA702: "out of resources: it cannot send them",
        0xA801: "it does not know where to send: add this node's AE title, host and port on the peer",
        0xA900: "the identifier does not match the SOP class",
        0xB000: "some of the instances could not be sent",
        0x0110: "processing failure",
        0x0112: "no such SOP instance",
        0x0122: "SOP class not supported",
        0x0124: "not authorised",
        0x0131: "duplicate transaction UID",
        0x0211: "unrecognised operation",
        0x0213: "resource limitation",
    }
    return words.get(status, "unable to process" if 0xC000 <= status <= 0xCFFF else "a failure")


class Rejected(PeerUnreachable):
    """The peer answered the association request with an A-ASSOCIATE-RJ.

    A permanent rejection is one of these too: an operator can change the peer's list, and what waits then leaves.

    Parameters
    ----------
    peer
        Who rejected.
    calling_ae_title
        The AE title that asked.
    codes
        Result, source and reason (DICOM PS3.8 Table 9-21).
    """

    def __init__(self, peer: PeerAddress, calling_ae_title: str, codes: tuple[int, int, int]) -> None:
        super().__init__(f"{peer} rejected the association {codes}: {_in_words(peer, calling_ae_title, codes)}")
        self.codes = codes


def _in_words(peer: PeerAddress, calling_ae_title: str, codes: tuple[int, int, int]) -> str:
    words = {
        (1, 2): "it does not speak the DICOM application context",
        (1, 3): f"it does not know the calling AE title {calling_ae_title}; add that title on the peer",
        (1, 7): f"it does not answer to the AE title {peer.ae_title}; set ae_title of this peer to the peer's own",
        (2, 2): "it does not speak this protocol version",
        (3, 1): "it is congested for now",
        (3, 2): "it has reached its limit of associations for now",
    }
    return words.get(codes[1:], "it gave no reason")
