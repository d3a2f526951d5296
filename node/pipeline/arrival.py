"""An instance that arrived: what was announced, what its header says, where its durable file lies; and how it is noted.

It is what the rest of receiving works with, once no more bytes come.
"""

from dataclasses import dataclass
from datetime import datetime

from node.domain.instance import InstanceHeader
from node.network.reception import Announced
from node.store import audit
from node.store.audit import Entry
from node.store.database import Transaction
from node.store.instances import NewCopy


@dataclass(frozen=True, slots=True)
class Arrival:
    """An instance whose file is durable, and whose row is not yet."""

    announced: Announced
    header: InstanceHeader
    path: str  #: relative to the data folder
    size_bytes: int  #: of the dataset

    @property
    def sop_instance_uid(self) -> str:
        """Its SOP Instance UID."""
        return self.header.sop_instance_uid


def copy_of(came: Arrival, now: datetime, reason: str) -> NewCopy:
    """Return the later copy of a held UID that came in."""
    said = came.announced
    caller = (said.calling_ae_title, said.called_ae_title, said.address)
    return NewCopy(came.header, came.path, came.size_bytes, *caller, now, reason)


def note(
    tx: Transaction, now: datetime, event: str, came: Arrival, also_of: str | None = None, **detail: object
) -> None:
    """Add the entry of an instance that came in to the timeline of its study, and of the study `also_of`."""
    uid, studies = came.sop_instance_uid, dict.fromkeys((came.header.study_instance_uid, also_of))
    audit.add_all(tx, [Entry(now, event, study, uid, noted(came) | detail) for study in studies if study])


def noted(came: Arrival) -> dict[str, object]:
    """Return what every entry says of how an instance came in, and whether it calls itself synthetic."""
    said = came.announced
    how: dict[str, object] = {
        "caller": said.calling_ae_title,
        "address": said.address,
        "transfer_syntax_uid": said.transfer_syntax_uid,
    }
    return how | {"synthetic": True} if came.header.synthetic else how
