"""An instance that arrived: what was announced, what its header says, and where its durable file lies.

It is what the rest of receiving works with, once no more bytes come; plain values, which one process may hand to
another.
"""

from dataclasses import dataclass

from node.domain.instance import InstanceHeader
from node.network.incoming import Announced
from node.store.json_text import JSONText


@dataclass(frozen=True, slots=True)
class Arrival:
    """An instance whose file is durable, and whose row is not yet."""

    announced: Announced
    header: InstanceHeader
    path: str  #: relative to the data folder
    size_bytes: int  #: of the dataset
    header_text: JSONText | None = None  #: the header as its row will hold it, where somebody has encoded it already

    @property
    def sop_instance_uid(self) -> str:
        """Its SOP Instance UID."""
        return self.header.sop_instance_uid


def noted(came: Arrival) -> dict[str, object]:
    """Return what every entry of a timeline says of how an instance came in, and whether it calls itself synthetic."""
    said = came.announced
    how: dict[str, object] = {
        "caller": said.calling_ae_title,
        "address": said.address,
        "transfer_syntax_uid": said.transfer_syntax_uid,
    }
    return how | {"synthetic": True} if came.header.synthetic else how
