"""Heat maps that a peer has of an earlier result when it gets a newer one: a picture goes on saying what nobody says.

No link leads from a picture to what came later, so it is taken back where the peer takes notes, and named elsewhere.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from node.store import audit
from node.store.database import Transaction
from node.store.stopping import taken_back
from node.store.stopping.taken_back import Delivered
from node.store.working.analyses import NewAnalysis, NewRendition
from node.telemetry import logger

WHY = "A newer result takes the place of the one that this heat map shows."
"""What the notes say."""

_log = logger("pipeline.compose")

WriteNotes = Callable[[Sequence[Delivered], str], Mapping[int, NewRendition]]
"""Returns by delivery a note with this reason for each of these heat maps whose peer takes notes."""


def take_back(
    tx: Transaction,
    analysis: NewAnalysis,
    notes: Mapping[int, NewRendition],
    peers: Collection[str],
    now: datetime,
) -> None:
    """Order the notes where a newer report is to go, and name the heat maps that stay elsewhere.

    They stay at peers that take no notes, and beside their reports at those that are not told of the newer result.

    Parameters
    ----------
    tx
        The transaction that stores the newer result.
    analysis
        That result.
    notes
        By delivery, those of `Before.heat_maps` whose peers take notes.
    peers
        Whom its report goes to.
    now
        Aware.
    """
    study = analysis.study_instance_uid
    for one in taken_back.outlived(tx, study):
        if one.model != analysis.model or one.note is not None:
            continue
        if one.delivery_id in notes and one.peer in peers:
            taken_back.order(tx, one, notes[one.delivery_id], WHY, now)
            continue
        audit.add(tx, now, "heat map of an earlier result stands", study, one.sop_instance_uid, peer=one.peer)
        _log.warning("a heat map of an earlier result stands at a peer", study_instance_uid=study, peer=one.peer)
