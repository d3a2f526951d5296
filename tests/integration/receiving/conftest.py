"""Nodes as processes, each with one of the two readers, used over real sockets alone."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.databases.kinds import MakeFolder
from tests.support.nodes.process import MODALITY, NodeFolder, serving
from tests.support.nodes.receiving import ReceivingNode

READERS = ("fast", "pynetdicom")


@pytest.fixture(scope="session", params=READERS)
def reader(request: pytest.FixtureRequest) -> str:
    """Return which reader moves the bytes."""
    return str(request.param)


@pytest.fixture(scope="session")
def home_of(
    reader: str, tmp_path_factory: pytest.TempPathFactory, lasting_node_folder: MakeFolder
) -> Callable[..., NodeFolder]:
    """Return a function that configures a node with this reader, these lines of [receive] and these tables."""

    def make(name: str, receive: str = "", models: Sequence[str] = (), **tables: str) -> NodeFolder:
        folder: Path = tmp_path_factory.mktemp(f"{name}-{reader}-")
        return lasting_node_folder(
            folder,
            [MODALITY],
            tables={"receive": f'reader = "{reader}"\n{receive}', "log": 'level = "debug"', **tables},
            models=models,
        )

    return make


@pytest.fixture(scope="session")
def patient(home_of: Callable[..., NodeFolder]) -> Iterator[ReceivingNode]:
    """Run a node with the deadlines that it has by itself, and instances of at most 8 MB."""
    with serving(home_of("patient", "max_instance_mb = 8")) as process:
        yield ReceivingNode(process)


@pytest.fixture(scope="session")
def hasty(home_of: Callable[..., NodeFolder]) -> Iterator[ReceivingNode]:
    """Run a node with short deadlines."""
    deadlines = "association_timeout_s = 1.0\npdu_timeout_s = 1.0\nidle_timeout_s = 1.0"
    with serving(home_of("hasty", deadlines)) as process:
        yield ReceivingNode(process)


@pytest.fixture(scope="session")
def crowded(home_of: Callable[..., NodeFolder]) -> Iterator[ReceivingNode]:
    """Run a node that has room for three associations, two of them from one address."""
    with serving(home_of("crowded", "max_associations = 3\nmax_associations_per_address = 2")) as process:
        yield ReceivingNode(process, most_together=2)


@pytest.fixture
def node(patient: ReceivingNode) -> Iterator[ReceivingNode]:
    """Return the node; after the test it has to serve on, and to hold no more than before."""
    with patient.unharmed():
        yield patient


@pytest.fixture
def hasty_node(hasty: ReceivingNode) -> Iterator[ReceivingNode]:
    """Return the node with short deadlines, on the same terms."""
    with hasty.unharmed():
        yield hasty


@pytest.fixture
def crowded_node(crowded: ReceivingNode) -> Iterator[ReceivingNode]:
    """Return the node with room for three, on the same terms."""
    with crowded.unharmed():
        yield crowded
