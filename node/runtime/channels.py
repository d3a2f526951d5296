"""Questions from processes to the one that keeps them up: many may ask at once, one thread answers all that is there.

A channel is a pair of connected sockets that keep messages apart (SOCK_SEQPACKET): a message is handed over whole or
not at all, and the system cuts the channel when either side dies, however it dies. Each thread that asks has a channel
for as long as it waits, writes its question and reads the answer itself; nothing stands between it and the thread that
answers. It knows nothing of what is asked.
"""

import contextlib
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from node.domain.errors import Transient
from node.runtime.vital import vital
from node.telemetry import logger, place_of

_LONGEST_BYTES = 1 << 18
_GREETING = b"!"
_END = socket.SHUT_RDWR

_log = logger("runtime.channels")


class NotAsked(Transient):
    """The question was not handed over: nobody is there."""


class NotAnswered(Transient):
    """The question was handed over, and whoever had it went away before it answered, or has not answered in time."""


class AskedOn:
    """The end of a channel on which questions come, one at a time; it may be answered from any thread.

    Parameters
    ----------
    connection
        One of a connected pair of packet sockets.
    """

    __slots__ = ("_connection", "_is_gone", "_turn", "_waits")

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._turn = connection, threading.Lock()
        self._waits = self._is_gone = False

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._connection.fileno()

    def greet(self) -> None:
        """Tell the other side that what it asks is heard."""
        self._send(_GREETING)

    def heard(self) -> bytes | None:
        """Return the question that came, b"" where the other side is gone, None where nothing came after all."""
        try:
            question = self._connection.recv(_LONGEST_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            return b""
        self._waits = self._waits or bool(question)
        return question

    def answer(self, message: bytes) -> None:
        """Answer the question that came last; where nobody waits for it any more, nothing happens."""
        with self._turn:
            self._waits = False
            if self._is_gone:
                self._connection.close()
            else:
                self._send(message)

    def close(self) -> None:
        """Let go of it, or have that done by the answer that is still to come."""
        with self._turn:
            self._is_gone = True
            if not self._waits:
                self._connection.close()

    def cut(self) -> None:
        """End it on both sides: whoever waits for an answer hears that none comes."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(_END)

    def _send(self, message: bytes) -> None:
        with contextlib.suppress(OSError):  # the other side asks one thing at a time: there is room, or nobody is there
            self._connection.send(message, socket.MSG_DONTWAIT)


Question = tuple[AskedOn, bytes]


class Channels:
    """Hears what is asked on any number of channels, on a thread of its own.

    Parameters
    ----------
    serve
        Called on that thread with all questions that are there; each is to be answered, then or later.
    lost
        Called where that thread ends by an error: nothing is answered any more.
    """

    def __init__(self, serve: Callable[[Sequence[Question]], None], lost: Callable[[], None]) -> None:
        self._serve = serve
        self._open: dict[int, AskedOn] = {}
        self._poll = select.epoll()
        self._stop, self._stopped = socket.socketpair()
        self._is_over = False
        self._turn = threading.Lock()
        self._thread = vital("channels", self._run, lost)

    def start(self) -> None:
        """Begin to hear."""
        self._poll.register(self._stopped.fileno(), select.EPOLLIN)
        self._thread.start()

    def add(self, connection: socket.socket) -> None:
        """Hear what is asked on a new channel; from any thread."""
        channel = AskedOn(connection)
        with self._turn:
            if self._is_over:
                channel.close()
                return
            self._open[channel.fileno()] = channel
            self._poll.register(channel.fileno(), select.EPOLLIN)
        channel.greet()

    def stop(self) -> None:
        """Hear nothing more, and cut all channels; harmless where it never began, or has ended."""
        if self._thread.ident is not None and self._thread.is_alive():
            self._stop.shutdown(_END)
            self._thread.join()

    def _run(self) -> None:
        try:
            while (ready := self._ready()) is not None:
                if ready:
                    with _Contained(ready):
                        self._serve(ready)
        finally:
            with self._turn:
                self._is_over = True
            for channel in list(self._open.values()):
                channel.cut()
                self._drop(channel)

    def _ready(self) -> list[Question] | None:
        """Wait until something is asked, and return it; None at the end."""
        ready: list[Question] = []
        for number, _ in self._poll.poll():
            if number == self._stopped.fileno():
                return None
            channel = self._open[number]
            question = channel.heard()
            if question:
                ready.append((channel, question))
            elif question is not None:
                self._drop(channel)
        return ready

    def _drop(self, channel: AskedOn) -> None:
        number = channel.fileno()
        self._poll.unregister(number)
        del self._open[number]
        channel.close()


class _Contained:
    """Keeps a defect in what answers from ending the thread: those who asked hear that no answer comes."""

    def __init__(self, asked: Sequence[Question]) -> None:
        self._asked = asked

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if error is not None:
            _log.error("questions cannot be answered", error=type(error).__qualname__, place=place_of(error))
            for channel, _ in self._asked:
                channel.cut()
        return isinstance(error, Exception)


class Asking:
    """The other side: asks from any number of threads, each on a channel that no other uses meanwhile.

    Parameters
    ----------
    connect
        Opens a channel; raises `OSError` where nobody is there.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._idle: deque[tuple[float, socket.socket]] = deque()  # and since when, the longest first

    def ask(self, question: bytes, within_s: float, handed_over: Callable[[], None] = lambda: None) -> bytes:
        """Return the answer.

        Parameters
        ----------
        question
            Some 150 000 bytes at most: the system's default buffer takes them at once, with room to spare.
        within_s
            How long the other side may take, in seconds. It may be stopped, and is then not gone: no channel is cut.
        handed_over
            Called once the question is the other side's.

        Raises
        ------
        NotAsked
            Where the question was not handed over.
        NotAnswered
            Where it was, and no answer comes, or none in time.
        """
        channel = self._free()
        try:
            channel.settimeout(within_s)
            _handed_over(channel, question)
            handed_over()
            answer = _answer(channel)
        except BaseException:
            channel.close()
            raise
        self._idle.append((time.monotonic(), channel))
        return answer

    def close(self) -> None:
        """Let go of the channels that nobody uses."""
        self.close_idle(0.0)

    def close_idle(self, for_s: float) -> None:
        """Let go of the channels that nobody has used for so long, in seconds: a peak opened them; from any thread."""
        latest = time.monotonic() - for_s
        with contextlib.suppress(IndexError):  # others take from it
            while self._idle[0][0] <= latest:
                self._idle.popleft()[1].close()

    def _free(self) -> socket.socket:
        with contextlib.suppress(IndexError):
            return self._idle.pop()[1]
        try:
            return self._connect()
        except OSError as error:
            raise NotAsked(f"the first process cannot be asked: {error.strerror or error}") from error


def greeted(channel: socket.socket) -> socket.socket:
    """Return a new channel once the other side hears it, within the channel's timeout.

    Raises
    ------
    OSError
        Where it never will.
    """
    if channel.recv(len(_GREETING)) != _GREETING:
        raise ConnectionAbortedError("it is gone, or ends")
    return channel


def _handed_over(channel: socket.socket, question: bytes) -> None:
    try:
        channel.send(question)
    except OSError as error:
        raise NotAsked(f"the first process cannot be asked: {error.strerror or error}") from error


def _answer(channel: socket.socket) -> bytes:
    try:
        answer = channel.recv(_LONGEST_BYTES)
    except TimeoutError as error:
        raise NotAnswered("the first process has not answered in time") from error
    except OSError:
        answer = b""
    if not answer:
        raise NotAnswered("the first process went away before it answered")
    return answer
