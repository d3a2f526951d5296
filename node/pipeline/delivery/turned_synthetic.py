"""Tells of reports that a real peer holds although their study turned synthetic since.

Nothing takes a report back from a peer that has it: people must, and so they are told, in the timeline and in the log.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

from node.store import audit
from node.store.arriving import synthetic_marks
from node.store.database import Transaction
from node.telemetry import logger

_log = logger("pipeline.standing")


@contextmanager
def watched(
    tx: Transaction, now: datetime, studies: Collection[str], test_peers: Collection[str]
) -> Iterator[set[str]]:
    """Yield a set that holds, after the block, those of these studies that turned synthetic in it; tell of them.

    Parameters
    ----------
    tx, now, test_peers
        As for `tell_standing`.
    studies
        Study Instance UIDs; where there are none, nothing is asked.
    """
    turned: set[str] = set()
    before = synthetic_marks.among(tx, studies) if studies else set()
    yield turned
    turned |= (synthetic_marks.among(tx, studies) if studies else set()) - before
    for study in sorted(turned):
        tell_standing(tx, now, study, test_peers)


def tell_standing(tx: Transaction, now: datetime, study_uid: str, test_peers: Collection[str]) -> None:
    """Note each real peer that holds a report about a synthetic study, once.

    Parameters
    ----------
    tx
        The transaction of what made the study synthetic, or of what brought the report there.
    now
        Aware.
    study_uid
        A study that is synthetic.
    test_peers
        Names of the peers with ``test = true``, which may hold such reports.
    """
    for peer in synthetic_marks.standing(tx, study_uid, test_peers):
        if synthetic_marks.is_told(tx, study_uid, peer):
            continue
        audit.add(tx, now, synthetic_marks.STANDS + peer, study_uid, peer=peer)
        _log.warning("report on a synthetic study stands at a real peer", study_instance_uid=study_uid, peer=peer)
