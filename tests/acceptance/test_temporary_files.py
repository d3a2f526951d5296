"""A node that reads and receives in several processes leaves nothing in the system's folder of temporary files."""

from pathlib import Path

import pytest

from tests.support.databases.kinds import MakeFolder
from tests.support.houses.house import radiograph
from tests.support.nodes.process import MODALITY, Node, NodeFolder, start
from tests.support.nodes.refusing import NOBODY_LISTENS, stored
from tests.support.programs.processes import members
from tests.support.waiting import wait_until

_PATIENCE_S = 30.0


@pytest.fixture
def home(tmp_path: Path, node_folder: MakeFolder) -> NodeFolder:
    """Give a folder for a node with two receiving processes."""
    folder = node_folder(tmp_path, [MODALITY, NOBODY_LISTENS], tables={"receive": "processes = 2"})
    folder.write()
    return folder


def test_a_node_leaves_no_temporary_file_whether_it_is_killed_or_drained(home: NodeFolder) -> None:
    """The next start sweeps what a killed one left in a folder of the node's own; the system's stays empty."""
    system = home.folder / "system"
    system.mkdir()
    killed = _started(home, system)
    assert stored(killed.port, radiograph()) == 0x0000
    killed.wait_said("report composed")
    left = _names(home.data / "temporary")
    group = killed.process.pid
    killed.process.kill()
    wait_until(lambda: not members(group), _PATIENCE_S, "the end of its processes")
    assert any(name.startswith("pymp-") for name in left)
    assert any(name.startswith("child-") for name in left)
    assert _names(home.data / "temporary")
    drained = _started(home, system)
    assert not left & _names(home.data / "temporary")
    assert drained.process.terminate() == 0
    assert _names(home.data / "temporary") == set()
    assert _names(system) == set()


def _started(home: NodeFolder, system: Path) -> Node:
    """Start the node where `system` is the system's folder for temporary files."""
    return start(home, ["env", f"TMPDIR={system}", *home.command("serve")])


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
