"""What an SCP is told: where it listens, whom it lets in, and its limits."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ScpSettings:
    """Where the SCP listens, whom it lets in, and its limits.

    Parameters
    ----------
    ae_title
        The called AE title that it answers to, 1 to 16 characters.
    bind, port
        Where it listens; port 0 takes a free one.
    accept_any_calling_ae
        Whether every calling AE title is let in.
    calling_ae_titles
        The calling AE titles that are let in otherwise.
    committing_ae_titles
        Calling AE titles that are let in beside them, to tell what they commit to; no instance is taken from them.
    max_associations, max_associations_per_address
        How many associations run at once, in all and from one IP address.
    association_timeout_s
        From the connection to the end of the A-ASSOCIATE-RQ (the ARTIM timer, PS3.8 9.1.5).
    pdu_timeout_s
        From the first byte of a PDU to its last, and for a write that stands still; the association is then aborted.
    idle_timeout_s
        Between two PDUs; likewise.
    max_instance_mb
        A dataset above this, in units of 1 000 000 bytes, is refused with 0xA700.
    known_addresses
        IP addresses of the peers that are expected; see `guests`.
    reader
        What moves the bytes of an association: this node's own reader, or pynetdicom's with guards around it.
    """

    ae_title: str
    bind: str = "0.0.0.0"  # noqa: S104 - a DICOM node listens to the network; the operator narrows it
    port: int = 11112
    accept_any_calling_ae: bool = False
    calling_ae_titles: frozenset[str] = frozenset()
    committing_ae_titles: frozenset[str] = frozenset()
    max_associations: int = 20
    max_associations_per_address: int = 16
    association_timeout_s: float = 30.0
    pdu_timeout_s: float = 60.0
    idle_timeout_s: float = 120.0
    max_instance_mb: int = 2048
    known_addresses: frozenset[str] = frozenset()
    reader: Literal["fast", "pynetdicom"] = "fast"
