"""The receivers that are compared, each started afresh in an empty folder for every measurement."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.dcmtk import storescp
from tests.support.nodes import AE_TITLE, NodeFolder, Peer, serving
from tests.support.orthanc import orthanc
from tests.support.programs import free_port

CALLING = "BENCH"
_LARGEST_PDU = 131072


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver: where it listens, its process group, and where its files will be."""

    ae_title: str
    port: int
    group: int
    folder: Path


@contextlib.contextmanager
def node(folder: Path) -> Iterator[Receiver]:
    """Run the node on SQLite; no rule of its model reads CT, so it receives and nothing else."""
    home = NodeFolder(folder, [Peer("bench", CALLING, free_port(), may_send=True)], tables={"log": 'level = "warning"'})
    with serving(home) as running:
        yield Receiver(AE_TITLE, running.port, running.process.pid, home.data)


@contextlib.contextmanager
def dcmtk(folder: Path) -> Iterator[Receiver]:
    """Run storescp in bit-preserving mode, a child process for each association; it syncs nothing to the disk."""
    with storescp(folder, "STORESCP", 0, "--fork", "--max-pdu", str(_LARGEST_PDU)) as running:
        yield Receiver(running.ae_title, running.port, running.process.pid, running.folder)


@contextlib.contextmanager
def orthanc_pacs(folder: Path) -> Iterator[Receiver]:
    """Run Orthanc with its SQLite index and SyncStorageArea, its default: each file is synced before the answer."""
    settings = {"SyncStorageArea": True, "MaximumPduLength": _LARGEST_PDU, "DicomThreadsCount": 8, "StableAge": 60}
    with orthanc(folder, "ORTHANC", 0, **settings) as running:
        yield Receiver(running.ae_title, running.port, running.process.pid, running.folder)


RECEIVERS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Receiver]]] = {
    "node": node,
    "storescp": dcmtk,
    "orthanc": orthanc_pacs,
}
