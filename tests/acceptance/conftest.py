"""What the tests of a node as a process have where they say nothing else."""

from pathlib import Path

import pytest

from tests.support.databases.kinds import MakeFolder
from tests.support.nodes.process import MODALITY, NodeFolder
from tests.support.nodes.refusing import NOBODY_LISTENS


@pytest.fixture
def home(tmp_path: Path, node_folder: MakeFolder) -> NodeFolder:
    """Give a folder with a configuration: one peer that sends, one that gets reports and is down."""
    folder = node_folder(tmp_path, [MODALITY, NOBODY_LISTENS])
    folder.write()
    return folder
