"""The node is told of an association that was released, with what it had brought, and of no other end."""

from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any

import pytest

from node.domain.errors import Refused
from node.network.incoming import Announced
from node.network.pdu import ABORT_BY_USER
from node.network.released import ReleasedAssociation
from tests.support.objects.raw_dataset import Instance

_WITHIN_S = 10.0


class _Reception:
    """Keeps an instance whose study is its UID without the last number; refuses those that end in 9."""

    def __init__(self, announced: Announced) -> None:
        self._uid, self.study = announced.sop_instance_uid, ""

    def write(self, fragments: Sequence[memoryview]) -> None:
        """Take bytes."""

    def finish(self) -> int:
        """Keep it or refuse it."""
        if self._uid.endswith(".9"):
            raise Refused(0xA700, "no room")
        self.study = self._uid.rpartition(".")[0] if not self._uid.endswith(".0") else ""
        return 0

    def abandon(self) -> None:
        """Leave nothing."""


@pytest.fixture
def told(listen: Any) -> tuple[Any, SimpleQueue[ReleasedAssociation]]:
    """Return a node, and where the releases go that it is told of."""
    node, released = listen(begin=_Reception), SimpleQueue[ReleasedAssociation]()
    node.scp.on_released = released.put
    return node, released


def _brought(peer: Any, *uids: str) -> None:
    peer.request()
    for uid in uids:
        peer.store(Instance(uid, b"dataset"))


def test_a_release_tells_the_studies_of_the_images_that_were_kept(told: Any, raw: Any) -> None:
    """Each once, in order; neither those of refused images nor of what is no image."""
    node, released = told
    peer = raw(node)
    _brought(peer, "1.3.1", "1.2.1", "1.2.2", "1.7.9", "1.8.0")
    peer.release()
    assert released.get(timeout=_WITHIN_S) == ReleasedAssociation("MODALITY", ("1.2", "1.3"))


def test_no_other_end_is_told(told: Any, raw: Any) -> None:
    """Neither an abort, nor a lost connection, nor a release after nothing was kept."""
    node, released = told
    aborted, lost, empty, last = (raw(node) for _ in range(4))
    for peer in (aborted, lost):
        _brought(peer, "1.2.1")
    aborted.send(ABORT_BY_USER)
    lost.connection.close()
    _brought(empty, "1.7.9")
    empty.release()
    _brought(last, "1.4.1")
    last.release()
    assert released.get(timeout=_WITHIN_S).studies == ("1.4",)
    node.scp.drain(_WITHIN_S)
    assert released.empty()
