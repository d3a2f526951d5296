"""What the SCP hands on of a C-STORE, and what it expects back: the seam between receiving bytes and keeping them.

It knows no socket and no store; both sides of the seam do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Announced:
    """What a C-STORE-RQ and its association say of the instance whose dataset follows.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid
        Affected SOP Class and Instance UID of the command; the latter always has the form of a UID.
    context_sop_class_uid, transfer_syntax_uid
        What was agreed for the presentation context that it comes on.
    calling_ae_title, called_ae_title, address
        Who sends it, to which title, and the sender's IP address.
    """

    sop_class_uid: str
    sop_instance_uid: str
    context_sop_class_uid: str
    transfer_syntax_uid: str
    calling_ae_title: str
    called_ae_title: str
    address: str


@dataclass(frozen=True, slots=True)
class IncomingInstance(Announced):
    """An instance that came whole: what was announced, and the encoded dataset byte for byte as received."""

    dataset: bytes


class Reception(Protocol):
    """One instance on its way in; used on one thread at a time, and ended by exactly one of `finish` and `abandon`."""

    @property
    def study(self) -> str:
        """Study Instance UID of the image that `finish` has kept; "" before, and where it is no image."""

    def write(self, fragments: Sequence[memoryview]) -> None:
        """Take the next bytes of the dataset, in order; the views are valid during the call only.

        Raises
        ------
        Refused
            With the status to answer; the rest of the dataset is then thrown away.
        """

    def finish(self) -> int:
        """Keep the instance, of which all bytes came, and return the status to answer; raise `Refused` otherwise.

        Nothing is acknowledged before it returns, and whatever it does not keep it removes.
        """

    def abandon(self) -> None:
        """Leave nothing: the association ended half way, or something was refused."""


Begin = Callable[[Announced], Reception]
"""Called on the association's thread when a C-STORE-RQ has come; raises `Refused` where its dataset need not come."""


def gathered(on_store: Callable[[IncomingInstance], int]) -> Begin:
    """Return what gathers each instance in memory and hands it over whole: for small objects, such as reports."""
    return lambda announced: _Gathered(announced, on_store)


class _Gathered:
    def __init__(self, announced: Announced, on_store: Callable[[IncomingInstance], int]) -> None:
        self._announced, self._on_store = announced, on_store
        self._dataset = bytearray()
        self.study = ""

    def write(self, fragments: Sequence[memoryview]) -> None:
        for fragment in fragments:
            self._dataset += fragment

    def finish(self) -> int:
        said = self._announced
        return self._on_store(
            IncomingInstance(
                said.sop_class_uid,
                said.sop_instance_uid,
                said.context_sop_class_uid,
                said.transfer_syntax_uid,
                said.calling_ae_title,
                said.called_ae_title,
                said.address,
                bytes(self._dataset),
            )
        )

    def abandon(self) -> None:
        self._dataset.clear()
