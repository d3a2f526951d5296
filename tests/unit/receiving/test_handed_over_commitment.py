"""What peers say of storage commitment, handed from one process to another."""

import select
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from node.network.commitment import MAXIMUM_INSTANCES, CommitmentRequest, CommitmentResult, Heard
from node.receiving.handing import HandingOver
from node.receiving.message import asked, understood
from node.runtime.channels import AskedOn, Asking
from node.store.disk.files import InstanceFiles


@pytest.mark.parametrize(
    "said",
    [
        CommitmentRequest("CT 1", "::1", "2.25.1", (("1.2.840.10008.5.1.4.1.1.2", "1.2.3"), ("1.2", "1.2.4"))),
        CommitmentResult("PACS", "10.0.0.1", "2.25.1", ("1.2.3", "1.2.4"), (("1.2.5", 0x0112),)),
        CommitmentResult("PACS", "", "2.25.1", (), ()),
    ],
)
def test_what_is_heard_is_understood_as_it_was_said(said: Heard) -> None:
    """Every part of it, as the same kind of value."""
    assert understood(asked(said)) == said


def test_the_most_instances_fit_whatever_their_uids(tmp_path: Path) -> None:
    """As many as the network lets in go over a channel at once, also where no UID is like another."""
    random = Random(1)

    def uid() -> str:
        return "1." + "".join(random.choices("123456789", k=62))

    uids, classes = [uid() for _ in range(MAXIMUM_INSTANCES)], [uid() for _ in range(256)]
    request = CommitmentRequest("CT", "::1", "2.25.1", tuple((random.choice(classes), one) for one in uids))
    result = CommitmentResult("PACS", "::1", "2.25.1", (), tuple((one, random.randrange(1 << 16)) for one in uids))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, closing(Asking(lambda: ours)) as asking, ThreadPoolExecutor(1) as threads:
        for said in (request, result):
            status = threads.submit(HandingOver(asking, InstanceFiles(tmp_path)).heard, said)
            channel = AskedOn(theirs)
            select.select([theirs], [], [], 10)
            question = channel.heard()
            channel.answer(b"[0,0]")
            assert understood(question or b"") == said
            assert status.result(10) == 0
