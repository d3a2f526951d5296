"""Processes on one listening socket: a connection goes to the one that has fewer."""

import contextlib
import socket
import threading

from node.receivers.turns import SharedListener, before_others, beside_others

_PATIENCE_S = 10.0


def test_of_two_processes_each_comes_by_about_as_many_connections() -> None:
    """The first would take most of those that come at once; here two threads stand for the processes."""
    taken: dict[int, list[socket.socket]] = {1: [], 2: []}
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as peers:
        shared = {number: SharedListener(listener.dup()) for number in taken}
        threads = [threading.Thread(target=_accept, args=(shared[number], taken[number])) for number in taken]
        for _ in range(8):
            peers.enter_context(socket.create_connection(listener.getsockname(), _PATIENCE_S))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_PATIENCE_S)
        for one in (*shared.values(), *taken[1], *taken[2]):
            one.close()
    assert len(taken[1]) + len(taken[2]) == 8
    assert min(map(len, taken.values())) >= 2


def test_the_first_process_takes_one_connection_before_all_others() -> None:
    """And no further one before a process that has many: it is the one that writes."""
    assert before_others(0) < min(map(beside_others, range(100)))
    assert before_others(1) > max(map(beside_others, range(100)))


def _accept(listener: SharedListener, taken: list[socket.socket]) -> None:
    listener.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            taken.append(listener.accept()[0])
