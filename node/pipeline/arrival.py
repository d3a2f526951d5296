"""What is kept of how an instance came in, whatever became of it: its copy's row, its entry in the timeline."""

from datetime import datetime

from node.domain.instance import InstanceHeader
from node.network.reception import IncomingInstance
from node.store import audit
from node.store.database import Transaction
from node.store.instances import NewCopy


def copy_of(incoming: IncomingInstance, header: InstanceHeader, path: str, now: datetime, reason: str) -> NewCopy:
    """Return the copy that came in, whose file lies at `path`."""
    caller = (incoming.calling_ae_title, incoming.called_ae_title, incoming.address)
    return NewCopy(header, path, len(incoming.dataset), *caller, now, reason)


def note(
    tx: Transaction, now: datetime, event: str, header: InstanceHeader, incoming: IncomingInstance, **detail: object
) -> None:
    """Add the timeline's entry of an instance that came in, saying so where it calls itself synthetic."""
    said = {"synthetic": True} if header.synthetic else {}
    audit.add(
        tx,
        now,
        event,
        study_uid=header.study_instance_uid,
        sop_uid=header.sop_instance_uid,
        caller=incoming.calling_ae_title,
        address=incoming.address,
        transfer_syntax_uid=incoming.transfer_syntax_uid,
        **said | detail,
    )
