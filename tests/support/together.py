"""Which tests one worker runs in a row when pytest-xdist shares them out: those that share what is costly to make."""

from xdist.scheduler import LoadFileScheduling

#: Tests of this folder use one serving node for each reader, whatever file they stand in.
_ONE_NODE_FOR_ALL = "tests/integration/receiving/"
_READERS = ("fast", "pynetdicom")
#: Files whose tests use the bundle that is trained once for all of them; one that is not listed trains another.
ONE_BUNDLE_FOR_ALL = frozenset(
    f"tests/unit/models/{name}.py"
    for name in (
        "evaluation/test_evaluation",
        "training/test_anomaly_stage",
        "training/test_expert",
        "training/test_training",
    )
)


class Together(LoadFileScheduling):
    """Gives a worker whole files, and as one whole those that use one trained bundle, or the nodes with one reader."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, name = nodeid.partition("::")
        if file in ONE_BUNDLE_FOR_ALL:
            return "one bundle"
        reader = next((reader for reader in _READERS if f"[{reader}" in name), "")
        return f"{_ONE_NODE_FOR_ALL}{reader}" if reader and file.startswith(_ONE_NODE_FOR_ALL) else file
