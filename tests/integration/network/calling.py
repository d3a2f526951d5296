"""Whom the tests call, and what they send."""

from node.network.scu import OutgoingInstance, PeerAddress

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"
INSTANCE = OutgoingInstance(CT, "1.2.3", EXPLICIT, b"\x08\0\x18\0UI\x06\x001.2.3\0")
AE_TITLE = "MODALITY"


def at(port: int, ae_title: str = "PACSNODE") -> PeerAddress:
    """Return the address of a peer on this machine."""
    return PeerAddress(ae_title, "127.0.0.1", port)
