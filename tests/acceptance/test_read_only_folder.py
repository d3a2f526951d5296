"""The data folder's file system turns read-only while several processes receive: nobody dies, and nothing is lost.

Without root: the node runs in a mount namespace of its own, in which the folder is mounted once more, read-only, over
itself. Files that are open stay writable, as they would not on a device that failed; what is opened anew is refused.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.databases.kinds import MakeFolder
from tests.support.nodes.accepting import FIRST, accepted_by, receivers
from tests.support.nodes.process import MODALITY, Node, start
from tests.support.objects.raw_dataset import ct
from tests.support.waiting import wait_until

_OUT_OF_RESOURCES = 0xA700
_PATIENCE_S = 30.0
_OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")


@pytest.fixture
def node(tmp_path: Path, node_folder: MakeFolder) -> Iterator[Node]:
    """Run a node with two receiving processes beside the first, in a mount namespace of its own."""
    if subprocess.run([*_OWN_MOUNTS, "mount", "-t", "tmpfs", "none", tmp_path], check=False).returncode:
        pytest.skip("this user may not make a mount namespace here")
    home = node_folder(tmp_path, [MODALITY], tables={"receive": "processes = 2"}, models=())
    home.write()
    running = start(home, [*_OWN_MOUNTS, *home.command("serve")])
    try:
        yield running
        assert running.process.terminate() == 0
    finally:
        running.process.kill()


@contextlib.contextmanager
def _read_only(node: Node) -> Iterator[None]:
    """Let the node find its data folder read-only for a while."""
    folder = str(node.home.data)
    _mount(node, ["mount", "--bind", folder, folder])
    _mount(node, ["mount", "--options", "remount,bind,ro", folder])
    try:
        yield
    finally:
        _mount(node, ["umount", "--lazy", folder])


def _mount(node: Node, command: Sequence[str]) -> None:
    inside = ("nsenter", "--target", str(node.process.pid), "--user", "--mount", "--preserve-credentials")
    subprocess.run([*inside, *command], check=True)


def test_every_process_refuses_for_the_time_being_and_stores_again_on_the_same_association(node: Node) -> None:
    """0xA700 for each instance, of which nothing stays; C-ECHO is answered meanwhile."""
    before, instances = receivers(node), [ct(f"1.2.3.{number}") for number in range(3)]
    with contextlib.ExitStack() as open_:
        peers = [open_.enter_context(accepted_by(node, number)) for number in (FIRST, 1, 2)]
        with _read_only(node):
            for peer, instance in zip(peers, instances, strict=True):
                assert peer.store(instance) == _OUT_OF_RESOURCES
                assert peer.echo() == 0x0000
        assert not list((node.home.data / "incoming").iterdir())
        for peer, instance in zip(peers, instances, strict=True):
            assert peer.store(instance) == 0x0000
    assert receivers(node) == before
    assert len(node.home.listing("instances")) == 3


def test_a_process_that_dies_meanwhile_is_back_once_the_folder_can_be_written(node: Node) -> None:
    """It cannot begin before, which ends neither the node nor the others."""
    killed = receivers(node)[1]
    with _read_only(node):
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: "cannot be written" in node.process.errors(), _PATIENCE_S, "a process that cannot begin")
        with accepted_by(node, 2) as peer:
            assert peer.store(ct("1.2.3.1")) == _OUT_OF_RESOURCES
    wait_until(lambda: receivers(node)[1] != killed, _PATIENCE_S, "the next process")
    with accepted_by(node, 1) as peer:
        assert peer.store(ct("1.2.3.1")) == 0x0000
