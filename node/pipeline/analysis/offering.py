"""Which peers get a report that was just composed, and what it ends of what waits for them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from node.config import PeerSettings
from node.domain.lifecycle import State
from node.pipeline.analysis.conclude import destinations, says_the_same
from node.pipeline.analysis.renditions import Shape, shape_of
from node.store import audit
from node.store.arriving import studies, synthetic_marks
from node.store.database import Transaction
from node.store.keeping import backfills
from node.store.registering import registry
from node.store.sending import outbox, outgoing
from node.store.stopping import holds, recalls
from node.store.tables.choices import Origin
from node.store.working import analyses
from node.store.working.analyses import NewAnalysis


def offer(
    tx: Transaction,
    peers: Sequence[PeerSettings],
    analysis: NewAnalysis,
    analysis_id: int,
    forms: Mapping[Shape, Sequence[int]],
    now: datetime,
) -> list[str]:
    """Write a delivery to each peer for which a report is news, and take back what it makes untrue.

    Where an operator wanted it anew it is news to all, and what was given up of earlier ones is not tried again.

    Parameters
    ----------
    tx
        The transaction that stores the report.
    peers
        The configured peers.
    analysis, analysis_id
        What the report says.
    forms
        By shape, the numbers of the renditions, the preferred first.
    now
        Aware.

    Returns
    -------
    list of str
        The names of the peers.
    """
    getting, offered = audience(tx, peers, analysis), []
    is_anew = analysis.predecessor_id is not None and bool(analyses.get(tx, analysis.predecessor_id).anew_for)
    for peer in (peer for peer in peers if peer.gets):
        told = outgoing.told(tx, analysis.study_instance_uid, analysis.model, peer.name)
        if told is not None and says_the_same(told, analysis) and not is_anew:
            continue
        ended = (State.WAITING, State.HELD, *((State.BURIED,) if is_anew else ()))
        outbox.cancel_waiting(tx, analysis.study_instance_uid, analysis.model, peer.name, now, states=ended)
        if peer.name in getting:
            preferred, *others = forms[shape_of(peer)]
            outbox.add(tx, analysis_id, peer.name, preferred, now, is_pinned=not others)
            offered.append(peer.name)
    if offered and (hold := holds.holding(tx, analysis.model)) is not None:
        said = {"model": analysis.model, "by": hold.held_by, "reason": hold.reason}
        audit.add(tx, now, "delivery held back", analysis.study_instance_uid, peers=offered, **said)
    if not getting and (why := recalls.why(tx, analysis.model, analysis.version)):
        audit.add(tx, now, "result not sent: version recalled", analysis.study_instance_uid, reason=why)
    return offered


def audience(tx: Transaction, peers: Sequence[PeerSettings], analysis: NewAnalysis) -> list[str]:
    """Return the names of the peers that may get a report now, whether or not it is news to them."""
    leaves = _leaves(tx, analysis.study_instance_uid) and not recalls.why(tx, analysis.model, analysis.version)
    if not leaves:
        return []
    registration = registry.get(tx, analysis.model)
    mode = registration.mode if registration else "off"
    marked = synthetic_marks.is_synthetic(tx, analysis.study_instance_uid)
    return destinations(peers, mode, analysis.outcome, synthetic=marked)


def _leaves(tx: Transaction, study_uid: str) -> bool:
    """Return whether results of a study may leave: those of one that was fetched only where its backfill says so."""
    return studies.origin(tx, study_uid) is not Origin.BACKFILL or backfills.sends(tx, study_uid)
