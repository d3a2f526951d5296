"""What a receiver's processes hold."""

import subprocess
import sys

from bench.measuring.memory_held import memory_of, receiving


def test_the_process_behind_a_port_is_found_and_weighed() -> None:
    """By the socket that it holds."""
    program = (
        "import socket,sys; s=socket.create_server(('127.0.0.1',0)); print(s.getsockname()[1],flush=True); input()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        found = receiving(child.pid, port)
        held = memory_of(found)
        child.communicate("\n")
    assert found == [child.pid]
    assert held.whole > 1_000_000
