"""A node that reads and receives in several processes leaves no temporary files, and its data folder takes none.

That may be on a file system which takes no sockets (SMB, the shared folders of virtual machines), or of any name.
"""

import shutil
import tempfile
from collections.abc import Iterator
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
    """Give a folder, of a long name with dots in it, for a node with two receiving processes."""
    (tmp_path / ("d" * 120)).mkdir()
    place = tmp_path / ("d" * 120) / ".." / ("d" * 120)
    folder = node_folder(place, [MODALITY, NOBODY_LISTENS], tables={"receive": "processes = 2"})
    folder.write()
    return folder


@pytest.fixture
def system() -> Iterator[Path]:
    """Give a folder with a short name that is the system's for temporary files."""
    folder = Path(tempfile.mkdtemp(prefix="system-"))
    yield folder
    shutil.rmtree(folder)


def test_a_node_leaves_no_temporary_file_whether_it_is_killed_or_drained(home: NodeFolder, system: Path) -> None:
    """The next start sweeps what a killed one left in a folder of the node's own."""
    killed = _started(home, system)
    assert stored(killed.port, radiograph()) == 0x0000
    killed.wait_said("report composed")
    (own,) = system.iterdir()
    kinds = {path.name.partition("-")[0] for path in own.iterdir()}
    group = killed.process.pid
    killed.process.kill()
    wait_until(lambda: not members(group), _PATIENCE_S, "the end of its processes")
    assert kinds >= {"pymp", "child"}
    assert own.exists()
    drained = _started(home, system)
    assert not own.exists()
    assert drained.process.terminate() == 0
    assert _names(system) == set()


def test_a_node_puts_no_temporary_file_into_its_data_folder(home: NodeFolder, system: Path) -> None:
    """Nor does it touch what others have there, as behind a link to a disk for such files."""
    scratch = home.folder / "scratch"
    scratch.mkdir()
    (scratch / "of others").touch()
    home.data.mkdir()
    (home.data / "temporary").symlink_to(scratch)
    node = _started(home, system)
    assert stored(node.port, radiograph()) == 0x0000
    node.wait_said("report composed")
    assert _names(scratch) == {"of others"}
    assert not [path for path in home.data.rglob("*") if path.name.startswith(("child-", "pymp-", "listener-"))]
    assert node.process.terminate() == 0


def _started(home: NodeFolder, system: Path) -> Node:
    """Start the node where `system` is the system's folder for temporary files."""
    return start(home, ["env", f"TMPDIR={system}", *home.command("serve")])


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
