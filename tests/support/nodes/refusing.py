"""Verbs that are refused in words, and instances that are sent to a node."""

import subprocess

from node.network.incoming import IncomingInstance
from node.network.scu import OutgoingInstance, PeerAddress, open_association
from tests.support.nodes.process import NodeFolder, Peer

NOBODY_LISTENS = Peer("pacs", "PACS", 1, gets_reports=True)


def refused(home: NodeFolder, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a verb, `serve` where none is given, that must fail in words."""
    done = home.run(*(arguments or ("serve",)))
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done


def stored(port: int, came: IncomingInstance) -> int:
    """Send an instance to a node as the modality, and return the status."""
    context = (came.sop_class_uid, came.transfer_syntax_uid)
    with open_association(PeerAddress("PACSNODE", "127.0.0.1", port), "MODALITY", [context]) as association:
        outgoing = OutgoingInstance(came.sop_class_uid, came.sop_instance_uid, came.transfer_syntax_uid, came.dataset)
        return association.store(outgoing).status
