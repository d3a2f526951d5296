"""DCMTK's command line tools as peers: storescu and echoscu to send with, storescp to receive with."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.objects.part10 import Part10File, is_part10, read_part10_file
from tests.support.programs.processes import LOOPBACK, Program, free_port, open_files, program, run_program

NO_DELAY = {"TCP_NODELAY": "1"}  # DCMTK leaves Nagle's algorithm on unless told, and stalls 40 ms an instance


@dataclass(frozen=True, slots=True)
class Sent:
    """How a run of storescu or echoscu ended."""

    exit_status: int
    output: str

    @property
    def statuses(self) -> list[str]:
        """The answer to each C-STORE in the words of storescu, such as ``Success``."""
        return re.findall(r"Received Store Response \((.*)\)", self.output)


def echoscu(port: int, called: str, calling: str = "ECHOSCU") -> Sent:
    """Send one C-ECHO to the loopback address."""
    return _run([program("echoscu"), "-v", "-aet", calling, "-aec", called, LOOPBACK, str(port)])


def storescu(port: int, called: str, calling: str, paths: Sequence[Path], *options: str) -> Sent:
    """Send files by C-STORE on one association to the loopback address; `options` are those of storescu."""
    command = [program("storescu"), "-v", "-nh", "-aet", calling, "-aec", called, *options]
    return _run([*command, LOOPBACK, str(port), *map(str, paths)])


def convert(tool: str, source: Path, target: Path, *options: str) -> Path:
    """Write `source` in another transfer syntax with one of DCMTK's converters, and return `target`."""
    run_program([program(tool), *options, str(source), str(target)]).check_returncode()
    return target


@dataclass(frozen=True, slots=True)
class Storescp:
    """A running storescp: its port, and the folder into which it writes one file for each object received."""

    ae_title: str
    port: int
    folder: Path
    process: Program

    def received(self) -> list[Part10File]:
        """Return every object received so far; the same SOP instance received twice stands here twice.

        What it still writes is left out: of its files it closes those that are whole, and opens none a second time.
        """
        there = [path for path in sorted(self.folder.resolve().rglob("*")) if path.is_file()]
        written = {*map(str, there)} - {*open_files(self.process.pid)}
        return [read_part10_file(path) for path in there if str(path) in written and is_part10(path)]


@contextlib.contextmanager
def storescp(folder: Path, ae_title: str = "STORESCP", port: int = 0, *options: str) -> Iterator[Storescp]:
    """Run DCMTK's storescp, which keeps every object that it receives under a name of its own, bit for bit.

    Parameters
    ----------
    folder
        Made when missing; the objects go to ``received`` inside, the logs beside it.
    port
        The port to listen on; 0 takes a free one.
    options
        Further options of storescp.
    """
    received = folder / "received"
    received.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    command = [program("storescp"), "-aet", ae_title, "+B", "+uf", "-od", str(received), *options, str(port)]
    process = Program(command, folder / "storescp", NO_DELAY)
    try:
        process.wait_ready(port)
        yield Storescp(ae_title, port, received, process)
    finally:
        process.kill()


def _run(command: list[str]) -> Sent:
    done = run_program(command)
    return Sent(done.returncode, done.stdout)


@dataclass(frozen=True, slots=True)
class Dcmqrscp:
    """A running dcmqrscp: an archive that is asked by C-FIND and sends by C-MOVE."""

    ae_title: str
    port: int
    process: Program


@contextlib.contextmanager
def dcmqrscp(folder: Path, port: int, destination: str, destination_port: int) -> Iterator[Dcmqrscp]:
    """Run DCMTK's archive, which sends to one AE title of the loopback address.

    Parameters
    ----------
    folder
        Made when missing; the archive goes there, the logs beside it.
    port
        The port to listen on.
    destination, destination_port
        Whom it knows, and where that listens.
    """
    archive = folder / "archive"
    archive.mkdir(parents=True, exist_ok=True)
    configuration = folder / "dcmqrscp.cfg"
    configuration.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nnode = ({destination}, {LOOPBACK}, {destination_port})\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nDCMQRSCP {archive} RW (200, 1024mb) ANY\nAETable END\n"
    )
    process = Program([program("dcmqrscp"), "-c", str(configuration)], folder / "dcmqrscp", NO_DELAY)
    try:
        process.wait_ready(port)
        yield Dcmqrscp("DCMQRSCP", port, process)
    finally:
        process.kill()
