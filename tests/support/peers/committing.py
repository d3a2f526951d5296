"""An archive of the library's that is asked for storage commitment, and answers on the same association or another."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_role, evt
from pynetdicom.presentation import StoragePresentationContexts

from tests.support.programs.processes import LOOPBACK

PUSH_MODEL, INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
_TIMEOUT_S = 30


def reference(sop_class: str, uid: str, reason: int | None = None) -> Dataset:
    """Return an item of a request or a result."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
    if reason is not None:
        item.FailureReason = reason
    return item


def request(transaction: str, *uids: str, sop_class: str = "1.2.840.10008.5.1.4.1.1.2") -> Dataset:
    """Return the Action Information of a request."""
    dataset = Dataset()
    dataset.TransactionUID = transaction
    dataset.ReferencedSOPSequence = [reference(sop_class, uid) for uid in uids]
    return dataset


def request_of(calling: str, called: str, port: int, *paths: Path) -> int:
    """Ask a node to commit to these files, as a modality does after it has sent them; return the status."""
    entity, asked = AE(calling), Dataset()
    entity.add_requested_context(PUSH_MODEL)
    headers = [dcmread(path, stop_before_pixels=True) for path in paths]
    asked.TransactionUID = generate_uid()
    asked.ReferencedSOPSequence = [reference(str(one.SOPClassUID), str(one.SOPInstanceUID)) for one in headers]
    association = entity.associate(LOOPBACK, port, ae_title=called)
    answer, _ = association.send_n_action(asked, 1, PUSH_MODEL, INSTANCE)
    association.release()
    return int(answer.Status)


@dataclass
class Committing:
    """What an archive was sent and asked, and how it answers."""

    ae_title: str
    port: int = 0
    calls_back: tuple[str, int] | None = None  #: the asker's AE title and port; None: on the same association
    action_status: int = 0x0000
    reason: int | None = None  #: with which everything fails; None: it commits to what it holds
    says_nothing: bool = False
    requests: list[Dataset] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)  #: what its results were answered
    told: threading.Event = field(default_factory=threading.Event)

    def store(self, event: Any) -> int:
        """Take an instance."""
        self.held.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    def action(self, event: Any) -> tuple[int, Dataset | None]:
        """Take a request, and tell the result beside it."""
        self.requests.append(event.action_information)
        if self.action_status == 0x0000 and not self.says_nothing:
            association = event.assoc if self.calls_back is None else None
            threading.Thread(target=self.tell, args=(event.action_information, association), daemon=True).start()
        return self.action_status, None

    def result(self, asked: Dataset) -> Dataset:
        """Return the Event Information that answers a request."""
        result, committed, failed = Dataset(), [], []
        result.TransactionUID = asked.TransactionUID
        for item in asked.ReferencedSOPSequence:
            known = self.reason is None and item.ReferencedSOPInstanceUID in self.held
            names = str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID)
            (committed if known else failed).append(reference(*names, None if known else self.reason or 0x0112))
        if committed:
            result.ReferencedSOPSequence = committed
        if failed:
            result.FailedSOPSequence = failed
        return result

    def tell(self, asked: Dataset, association: Any = None) -> None:
        """Tell the result on this association, or on a new one to the asker."""
        result = self.result(asked)
        event_type = 2 if "FailedSOPSequence" in result else 1
        on = association or called_back(self.ae_title, *(self.calls_back or ("", 0)))
        answer, _ = on.send_n_event_report(result, event_type, PUSH_MODEL, INSTANCE)
        if association is None:
            on.release()
        self.statuses.append(int(answer.Status))
        self.told.set()


def called_back(calling: str, called: str, port: int) -> Any:
    """Return an association that proposes the role of the SCP of storage commitment."""
    entity = AE(calling)
    entity.add_requested_context(PUSH_MODEL)
    return entity.associate(LOOPBACK, port, ae_title=called, ext_neg=[build_role(PUSH_MODEL, scp_role=True)])


@contextmanager
def committing(ae_title: str = "ARCHIVE") -> Iterator[Committing]:
    """Run an archive that stores and commits."""
    archive, entity = Committing(ae_title), AE(ae_title)
    entity.supported_contexts = StoragePresentationContexts
    entity.add_supported_context(PUSH_MODEL)
    handlers: list[Any] = [(evt.EVT_C_STORE, archive.store), (evt.EVT_N_ACTION, archive.action)]
    server = entity.start_server((LOOPBACK, 0), block=False, evt_handlers=handlers)
    archive.port = server.server_address[1]
    try:
        yield archive
    finally:
        server.shutdown()


@contextmanager
def asker(ae_title: str, results: Callable[[Dataset], int]) -> Iterator[int]:
    """Run an application entity that takes the results of what it asked, and yield its port."""
    entity = AE(ae_title)
    entity.add_supported_context(PUSH_MODEL, scu_role=False, scp_role=True)

    def take(event: Any) -> tuple[int, Dataset | None]:
        return results(event.event_information), None

    server = entity.start_server((LOOPBACK, 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, take)])
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
