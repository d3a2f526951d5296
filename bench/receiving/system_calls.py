"""What strace wrote, read back: calls with begin and end, and what they did to an instance.

It knows the order in which an instance must become durable, and no node.
"""

import contextlib
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.support.programs.processes import program

OPTIONS = ("-f", "-ttt", "-T", "-y", "-s", "16", "-e", "signal=none", "-e")
CALLS = "trace=write,writev,sendto,sendmsg,fsync,fdatasync,sync_file_range,rename,renameat,renameat2"

_LINE = re.compile(r"^(?P<thread>\d+) +(?P<at>[\d.]+) (?P<call>.*)$")
_DURATION = re.compile(r" <([\d.]+)>$")
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>")
_UNFINISHED = " <unfinished ...>"
_NAME = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"([^"]*)"')
_SYNCS = ("fsync", "fdatasync")
_DATA_PDU = r'"\4\0'

STEPS = (
    "file brought to the disk",
    "file renamed into place",
    "folder brought to the disk",
    "database brought to the disk",
    "answer sent",
)


@contextlib.contextmanager
def recording(process: int, log: Path) -> Iterator[None]:
    """Record the calls of all threads of a process into a file, which is whole once the block is left."""
    command = [program("strace"), *OPTIONS, CALLS, "-o", str(log), "-p", str(process)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        said = tracer.stderr.readline() if tracer.stderr else ""
        if "attached" not in said:
            raise RuntimeError(f"strace could not attach: {said}")
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate(timeout=30)


@dataclass(frozen=True, slots=True)
class Call:
    """A system call: when it began and ended, in seconds, and what strace wrote of it."""

    began: float
    ended: float
    text: str

    @property
    def name(self) -> str:
        """Which call it is."""
        return self.text.partition("(")[0]

    @property
    def path(self) -> str:
        """The path of the file that it was given."""
        return self.text.partition("<")[2].partition(">")[0]

    @property
    def is_sync(self) -> bool:
        """Whether it brings something to the disk."""
        return self.name in _SYNCS


@dataclass(frozen=True, slots=True)
class Step:
    """Something that must happen, and the call that did it; None where none did."""

    what: str
    call: Call | None


def calls(lines: Sequence[str]) -> Iterator[Call]:
    """Yield the calls that strace recorded with `OPTIONS`, those that another thread's cut in two put together."""
    begun: dict[str, tuple[float, str]] = {}
    for parts in filter(None, map(_LINE.match, lines)):
        thread, at, text = parts["thread"], float(parts["at"]), parts["call"]
        if text.endswith(_UNFINISHED):
            begun[thread] = at, text.removesuffix(_UNFINISHED)
            continue
        if _RESUMED.match(text):
            at, first = begun.pop(thread, (at, ""))
            text = first + _RESUMED.sub("", text)
        if duration := _DURATION.search(text):
            yield Call(at, at + float(duration[1]), text[: duration.start()])


def steps(recorded: Sequence[Call], data: Path, number: int) -> list[Step]:
    """Return what became of the instance that was answered as the `number`-th, from 0, on the only association.

    Parameters
    ----------
    recorded
        Every call of the node.
    data
        The node's data folder.
    """
    answer = _nth(recorded, _is_answer, number)
    rename = _nth(recorded, lambda call: call.name.startswith("rename") and _is_kept(call, data), number)
    source, target = _names(rename) if rename else ("", "")
    folder = _nth(
        recorded, lambda call: call.is_sync and _after(rename, call) and call.path == str(Path(target).parent)
    )
    found = (
        _nth(recorded, lambda call: call.is_sync and call.path == source),
        rename,
        folder,
        _nth(recorded, lambda call: call.is_sync and _after(folder, call) and ".db" in Path(call.path).suffix),
        answer,
    )
    return [Step(what, call) for what, call in zip(STEPS, found, strict=True)]


def faults(found: Sequence[Step]) -> list[str]:
    """Return what is missing of the steps, or not over before the next one begins."""
    missing = [f"never: {step.what}" for step in found if step.call is None]
    wrong = [
        f"{after.what} before it was over: {before.what}"
        for before, after in pairwise(found)
        if before.call and after.call and after.call.began < before.call.ended
    ]
    return missing + wrong


def _is_kept(rename: Call, data: Path) -> bool:
    return any(Path(name).is_relative_to(data / "instances") for name in _names(rename)[1:])


def _is_answer(call: Call) -> bool:
    return call.name in {"sendto", "sendmsg", "write", "writev"} and "<socket:" in call.text and _DATA_PDU in call.text


def _after(earlier: Call | None, call: Call) -> bool:
    return earlier is not None and call.began >= earlier.ended


def _names(rename: Call) -> list[str]:
    """Return the old and the new path of a rename, whether it was given them or names within open folders."""
    return [str(Path(folder, name)) for folder, name in _NAME.findall(rename.text)[:2]]


def _nth(recorded: Sequence[Call], condition: Callable[[Call], bool], number: int = 0) -> Call | None:
    found = [call for call in recorded if condition(call)]
    return found[number] if number < len(found) else None
