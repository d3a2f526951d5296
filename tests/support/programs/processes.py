"""Other people's programs as processes: found, started, waited for, and ended together with their children."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.waiting import wait_until

LOOPBACK = "127.0.0.1"
_STOPS_WITHIN_S = 30.0
_kept: list[socket.socket] = []  # of the ports that `free_port` gave
_SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin")  # Orthanc lives in sbin, which a user's PATH leaves out


def find_program(name: str) -> str | None:
    """Return where a program is installed, or None.

    The folder of the running Python is left out: pynetdicom installs scripts there under the names of DCMTK's tools.
    """
    own = {Path(sys.prefix, "bin").resolve(), Path(sys.executable).parent.resolve()}
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *_SYSTEM_FOLDERS]
    return shutil.which(name, path=os.pathsep.join(f for f in folders if f and Path(f).resolve() not in own))


def program(name: str) -> str:
    """Return where a program is installed; an absent one is a failure, because peer tests skip nothing."""
    path = find_program(name)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed: tests/peers/install.sh installs it")
    return path


def run_program(command: Sequence[str], timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever its exit status; its standard output holds its standard error too."""
    return subprocess.run(
        command,
        check=False,
        timeout=timeout_s,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def free_port() -> int:
    """Return a TCP port of the loopback address that is given to nobody else while this process lives.

    It is none of those that the system gives to connections that go out: one of them would take it soon. Until somebody
    listens there connections are refused; a program may listen that sets SO_REUSEADDR, as servers do, again and again.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        kept = socket.socket()
        try:
            kept.bind((LOOPBACK, port))
        except OSError:
            kept.close()
            continue
        # set after the bind, which so failed where another process of the tests keeps the port
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _kept.append(kept)
        return port


def listens(port: int) -> bool:
    """Return whether something accepts connections at a port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def open_files(pid: int) -> Iterator[str]:
    """Yield what each open descriptor of a process refers to."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed while we looked
            yield str(link.readlink())


def members(group: int) -> list[int]:
    """Return the identifiers of the live processes of a process group; one that is dead and not yet reaped is none."""
    return [pid for pid, fields in _processes() if int(fields[2]) == group and fields[0] not in {"Z", "X"}]


@contextlib.contextmanager
def standing_still(pids: Sequence[int]) -> Iterator[None]:
    """Let processes stand still, those of them that live."""
    try:
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
            wait_until(lambda pid=pid: _stands_still(pid), _STOPS_WITHIN_S, "a process that stands still")
        yield
    finally:
        for pid in pids:
            _signal(pid, signal.SIGCONT)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended
        os.kill(pid, number)


def lives(pid: int) -> bool:
    """Return whether a process is there; one that is dead and not yet reaped is not."""
    return any(state not in {"Z", "X"} for state in _states(pid))


def _stands_still(pid: int) -> bool:
    """Return whether no thread of a process moves, or all of it has ended."""
    return set(_states(pid)) <= {"T", "Z", "X"}


def _states(pid: int) -> list[str]:
    """Return the state of each thread of a process, as proc(5) calls it; one that ends meanwhile is left out."""
    states = []
    with contextlib.suppress(FileNotFoundError):  # no such process
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                states.append((task / "stat").read_text().rpartition(")")[2].split()[0])
    return states


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Yield each process with the fields of its stat file from the state on (proc(5))."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(folder.name), (folder / "stat").read_text().rpartition(")")[2].split()


class Program:
    """A running program with its children, in a process group of its own; its output is kept in files.

    Parameters
    ----------
    command
        Program and arguments.
    log
        Where standard output and standard error go: `log` with ``.out`` and ``.err`` added.
    environment
        Variables set on top of this process's own.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.out, self.err = log.with_suffix(".out"), log.with_suffix(".err")
        with self.out.open("ab") as out, self.err.open("ab") as err:
            self.process = subprocess.Popen(
                list(command), stdout=out, stderr=err, env={**os.environ, **(environment or {})}, start_new_session=True
            )
        self._ended = threading.Lock()

    @property
    def pid(self) -> int:
        """The process identifier of the program itself, which is also that of its group."""
        return self.process.pid

    def output(self) -> str:
        """Return what it has written to standard output so far."""
        return self.out.read_text(errors="replace")

    def errors(self) -> str:
        """Return what it has written to standard error so far."""
        return self.err.read_text(errors="replace")

    def wait_ready(self, port: int, timeout_s: float = 30) -> None:
        """Wait until the program listens at `port`; an early end is reported with what it said."""
        wait_until(lambda: self._ended_early() or listens(port), timeout_s, f"{self.process.args[0]!s} at port {port}")

    def wait_line(self, start: str, timeout_s: float) -> str:
        """Wait for a whole line of standard output that begins with `start`, and return it."""
        wait_until(lambda: self._line(start) or self._ended_early(), timeout_s, f"a line {start!r}")
        return self._line(start)

    def terminate(self, timeout_s: float = 30) -> int:
        """Send SIGTERM, wait for the end, remove what is left of the group, and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        finally:
            self.kill()

    def kill(self) -> None:
        """Send SIGKILL to the program and all its children, and wait until none is left."""
        with self._ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.process.wait(10)
            wait_until(lambda: not members(self.pid), 10, "the end of a killed process group")

    def _line(self, start: str) -> str:
        whole = (line for line in self.output().splitlines(keepends=True) if line.endswith("\n"))
        return next((line.strip() for line in whole if line.startswith(start)), "")

    def _ended_early(self) -> bool:
        if self.process.poll() is None:
            return False
        said = f"{self.output()[-2000:]}{self.errors()[-2000:]}"
        raise RuntimeError(f"{self.process.args!r} ended with {self.process.returncode}:\n{said}")
