"""What this node offers in an association: every storage SOP class times every transfer syntax, and what goes with it.

It knows the lists and their names; it does not know who asks, nor what a dataset holds.

References
----------
DICOM PS3.4 Annexes B and GG (storage SOP classes), PS3.5 chapter 10 (transfer syntaxes), PS3.6 Annex A (the registry),
PS3.8 9.3.3 (presentation contexts and their results).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)
from pynetdicom.presentation import AllStoragePresentationContexts, PresentationContext, build_context

VERIFICATION = "1.2.840.10008.1.1"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"

#: The DICOM Application Context Name (PS3.7 A.2.1): the only one there is.
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"


@dataclass(frozen=True, slots=True)
class Syntaxes:
    """A presentation context's content: what is said, and how it is encoded."""

    abstract_syntax: str
    transfer_syntax: str


_NOT_A_DATASET = frozenset(
    {
        "1.2.840.10008.1.2.6.1",  # RFC 2557 MIME encapsulation, retired: mail, not a dataset
        "1.2.840.10008.1.2.6.2",  # XML Encoding, retired: text, not a dataset
        "1.2.840.10008.1.20",  # Papyrus 3, retired: a file format of its own
    }
)


#: Names of SOP classes that pydicom's registry does not know yet (PS3.6 Annex A).
_YOUNGER = {
    "1.2.840.10008.5.1.4.1.1.9.100.1": "Waveform Presentation State Storage",
    "1.2.840.10008.5.1.4.1.1.9.100.2": "Waveform Acquisition Presentation State Storage",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation Storage",
    "1.2.840.10008.5.1.4.1.1.66.8": "Height Map Segmentation Storage",
}

#: Uncompressed, in the order of preference: Explicit VR keeps the VR of private elements, which Implicit VR loses.
_UNCOMPRESSED = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian), str(ExplicitVRBigEndian))


def _storage_sop_classes() -> frozenset[str]:
    """Return every SOP class of the registry, retired ones too, whose instances travel by C-STORE."""
    registered = {
        uid
        for uid, (name, kind, *_) in UID_dictionary.items()
        if kind == "SOP Class" and "Storage" in name and "Storage Commitment" not in name
    }
    # PS3.4 Annex I: the directory exists on media only, never on the wire.
    registered.discard(MediaStorageDirectoryStorage)
    # pynetdicom knows some SOP classes that are younger than pydicom's registry.
    return frozenset(registered | {str(context.abstract_syntax) for context in AllStoragePresentationContexts})


def _transfer_syntaxes() -> tuple[str, ...]:
    """Return every transfer syntax of the registry that encodes a dataset, those without compression first."""
    registered = {uid for uid, (_, kind, *_) in UID_dictionary.items() if kind == "Transfer Syntax"} - _NOT_A_DATASET
    return (*_UNCOMPRESSED, *sorted(registered - set(_UNCOMPRESSED)))


STORAGE_SOP_CLASSES: frozenset[str] = _storage_sop_classes()
TRANSFER_SYNTAXES: tuple[str, ...] = _transfer_syntaxes()


def preferred_transfer_syntax(proposed: Sequence[str]) -> str | None:
    """Return which of the transfer syntaxes proposed for one context is accepted, or None where none is known.

    The first that is known: senders name the one that the instance is in before those that they would convert it to.
    Only among the uncompressed ones, which every sender converts into each other, the node's own order counts.
    """
    known = [uid for uid in proposed if uid in TRANSFER_SYNTAXES]
    if not known or known[0] not in _UNCOMPRESSED:
        return known[0] if known else None
    return next(uid for uid in _UNCOMPRESSED if uid in known)


def syntax_name(uid: str) -> str:
    """Return the registered name of a SOP class or transfer syntax, or the UID itself where there is none."""
    return _YOUNGER.get(uid) or str(UID(uid).name)


@cache
def acceptor_contexts() -> tuple[PresentationContext, ...]:
    """Return the contexts that the node supports as an acceptor; built once and shared, so not to be changed."""
    return tuple(build_context(uid, list(TRANSFER_SYNTAXES)) for uid in (VERIFICATION, *sorted(STORAGE_SOP_CLASSES)))


@cache
def commitment_contexts() -> tuple[PresentationContext, ...]:
    """Return Verification and Storage Commitment; built once and shared, so not to be changed.

    A peer asks for commitment in the default role, and tells its result on an association of its own as the SCP, which
    it proposes by role selection (PS3.4 J.3.3, PS3.7 D.3.3.4).
    """
    push_model = build_context(STORAGE_COMMITMENT, list(_UNCOMPRESSED[:2]))
    push_model.scu_role = push_model.scp_role = True
    return build_context(VERIFICATION, list(TRANSFER_SYNTAXES)), push_model
