"""Which tests one worker runs in a row when pytest-xdist shares them out: those that share what is costly to make."""

from xdist.scheduler import LoadFileScheduling

#: Tests of this folder use one serving node for each reader, whatever file they stand in.
_ONE_NODE_FOR_ALL = "tests/integration/receiving/"
_READERS = ("fast", "pynetdicom")


class Together(LoadFileScheduling):
    """Gives a worker whole files, or everything that is asked of the nodes with one reader."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, name = nodeid.partition("::")
        reader = next((reader for reader in _READERS if f"[{reader}" in name), "")
        return f"{_ONE_NODE_FOR_ALL}{reader}" if reader and file.startswith(_ONE_NODE_FOR_ALL) else file
