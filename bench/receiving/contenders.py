"""The receivers that are compared: the node in four forms, and what others wrote."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.running.launched import CALLING, READERS, UndurableFolder, UnsyncedFolder, node_tables
from tests.support.nodes.process import AE_TITLE, NodeFolder, Peer, serving
from tests.support.programs.dcmtk import NO_DELAY, storescp
from tests.support.programs.orthanc import orthanc
from tests.support.programs.processes import Program, free_port

LARGEST_PDU = 131072
_BARE_LOOP = (sys.executable, "-m", "bench.receiving.bare_loop")
_LONG_RUN = 200


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver: where it listens, its process group, and where its files will be."""

    ae_title: str
    port: int
    group: int
    folder: Path
    speaks_dicom: bool = True
    database: Path | None = None  #: of a node, on SQLite


@dataclass(frozen=True, slots=True)
class Kind:
    """A receiver that can be started.

    Parameters
    ----------
    run
        Starts it in an empty folder, for so many associations.
    on_disk
        Whether its folder must lie on a disk; otherwise it lies in memory.
    part
        A slow receiver gets this part of a long run, so that all take about as long; a rate needs no more.
    """

    run: Callable[[Path, int], contextlib.AbstractContextManager[Receiver]]
    on_disk: bool = False
    part: float = 1

    def first(self, instances: int) -> int | None:
        """Return how many of a run's instances it gets; None for all of them."""
        return None if self.part == 1 or instances < _LONG_RUN else round(instances * self.part)


@contextlib.contextmanager
def node(
    folder: Path,
    _associations: int,
    *,
    made: type[NodeFolder] = NodeFolder,
    reader: str = READERS[0],
    processes: int | None = None,
) -> Iterator[Receiver]:
    """Run the node on SQLite, as it ships; no rule of its model reads what is sent, so it receives and nothing else."""
    tables = node_tables(reader=reader, processes=processes)
    peers = [Peer("bench", CALLING, free_port(), may_send=True)]
    home = made(folder, peers, tables=tables, processes=processes)
    with serving(home) as running:
        yield Receiver(AE_TITLE, running.port, running.process.pid, home.data, database=home.data / "node.db")


@contextlib.contextmanager
def undurable(folder: Path, associations: int, *, processes: int | None = None) -> Iterator[Receiver]:
    """Run the node without durability: nothing is brought to the disk, and the answer does not wait for the rows."""
    with node(folder, associations, made=UndurableFolder, processes=processes) as running:
        yield running


@contextlib.contextmanager
def unsynced(folder: Path, associations: int) -> Iterator[Receiver]:
    """Run the node with nothing brought to the disk, and rows committed before the answer."""
    with node(folder, associations, made=UnsyncedFolder) as running:
        yield running


@contextlib.contextmanager
def fallback(folder: Path, associations: int) -> Iterator[Receiver]:
    """Run the node with pynetdicom's reader and without durability."""
    with node(folder, associations, made=UndurableFolder, reader="pynetdicom") as running:
        yield running


@contextlib.contextmanager
def dcmtk(folder: Path, associations: int) -> Iterator[Receiver]:
    """Run storescp in bit-preserving mode, a child process for each of several associations; it syncs nothing."""
    options = ["--max-pdu", str(LARGEST_PDU), *(["--fork"] if associations > 1 else [])]
    with storescp(folder, "STORESCP", 0, *options) as running:
        yield Receiver(running.ae_title, running.port, running.process.pid, running.folder)


@contextlib.contextmanager
def orthanc_pacs(folder: Path, associations: int) -> Iterator[Receiver]:
    """Run Orthanc with its SQLite index and SyncStorageArea, its default: each file is synced before the answer."""
    settings = {
        "SyncStorageArea": True,
        "MaximumPduLength": LARGEST_PDU,
        "DicomThreadsCount": max(8, associations),
        "StableAge": 3600,
    }
    with orthanc(folder, "ORTHANC", 0, **settings) as running:
        yield Receiver(running.ae_title, running.port, running.process.pid, running.folder)


@contextlib.contextmanager
def pynetdicom_app(folder: Path, _associations: int) -> Iterator[Receiver]:
    """Run pynetdicom's own storescp, as it comes."""
    command = [sys.executable, "-m", "pynetdicom", "storescp", "-q", "-ba", "127.0.0.1", "-od"]
    with _listening(folder, command) as running:
        yield running


@contextlib.contextmanager
def bare(folder: Path, _associations: int) -> Iterator[Receiver]:
    """Run the bare recv-to-file loop."""
    with _listening(folder, list(_BARE_LOOP), port_first=True) as running:
        yield running


@contextlib.contextmanager
def discarded(folder: Path, _associations: int) -> Iterator[Receiver]:
    """Run the bare loop without files: the sender alone."""
    with _listening(folder, [*_BARE_LOOP, "--discard"], port_first=True) as running:
        yield running


@contextlib.contextmanager
def _listening(folder: Path, command: Sequence[str], *, port_first: bool = False) -> Iterator[Receiver]:
    """Run a program that is told a folder and a port; those that take the port first speak no DICOM."""
    received, port = folder / "received", free_port()
    received.mkdir(parents=True)
    arguments = [str(port), str(received)] if port_first else [str(received), str(port)]
    process = Program([*command, *arguments], folder / "receiver", NO_DELAY)
    try:
        process.wait_ready(port)
        yield Receiver("STORESCP", port, process.pid, received, speaks_dicom=not port_first)
    finally:
        process.kill()


RECEIVERS: dict[str, Kind] = {
    "node": Kind(node, on_disk=True),
    **{f"node-{count}": Kind(partial(node, processes=count), on_disk=True) for count in (1, 2, 3, 4)},
    "node-undurable": Kind(undurable),
    **{f"node-undurable-{count}": Kind(partial(undurable, processes=count)) for count in (1, 2, 3, 4)},
    "node-unsynced": Kind(unsynced),
    "node-fallback": Kind(fallback, part=0.25),
    "storescp": Kind(dcmtk),
    "orthanc": Kind(orthanc_pacs, on_disk=True, part=0.5),
    "pynetdicom-app": Kind(pynetdicom_app, part=0.25),
    "bare-loop": Kind(bare),
    "sender-alone": Kind(discarded),
}

#: Those that are compared unless others are asked for: of the node each form once, with as many processes as it ships.
COMPARED = tuple(name for name in RECEIVERS if not name[-1].isdigit())
