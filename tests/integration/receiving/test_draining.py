"""A node that is told to end while peers are with it."""

import signal
from collections.abc import Callable

from tests.support.nodes.process import NodeFolder, start
from tests.support.objects.raw_dataset import ct
from tests.support.peers.raw_peer import RawPeer, rejection


def test_a_draining_node_turns_associations_away_and_lets_its_guests_finish(home_of: Callable[..., NodeFolder]) -> None:
    """SIGTERM: (2,3,1) for new ones, the instance of an old one is stored, and the exit status is 0."""
    home = home_of("draining")
    home.write()
    node = start(home)
    instance = ct("1.2.826.2.1")
    try:
        with RawPeer(node.port).associate() as guest:
            node.process.process.send_signal(signal.SIGTERM)
            while (codes := rejection(node.port)) is None:
                pass
            assert codes == (2, 3, 1)
            assert guest.store(instance) == 0x0000
            guest.release()
        assert node.process.process.wait(20) == 0
    finally:
        node.process.kill()
    assert [file.dataset for file in home.stored()] == [instance.dataset]
