"""Associations that are not let in: the codes, the words, and what is told about the one who asked.

References
----------
DICOM PS3.8 9.3.4 and Table 9-21.
"""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class RefusedAssociation:
    """An association that was rejected: who asked, and why not."""

    calling_ae_title: str
    called_ae_title: str
    address: str
    reason: str


class Rejection(Enum):
    """Result, source and reason of an A-ASSOCIATE-RJ, and the reason in words."""

    PROTOCOL_VERSION = ((1, 2, 2), "protocol version not supported")
    APPLICATION_CONTEXT = ((1, 1, 2), "application context name not supported")
    CALLING_AE_TITLE = ((1, 1, 3), "calling AE title not recognised")
    CALLED_AE_TITLE = ((1, 1, 7), "called AE title not recognised")
    DRAINING = ((2, 3, 1), "temporary congestion: the node is draining")
    CONGESTED = ((2, 3, 1), "temporary congestion")
    LOCAL_LIMIT = ((2, 3, 2), "local limit exceeded: too many associations")
    ADDRESS_LIMIT = ((2, 3, 2), "local limit exceeded: too many associations from this address")

    def __init__(self, codes: tuple[int, int, int], reason: str) -> None:
        self.codes = codes
        self.reason = reason
