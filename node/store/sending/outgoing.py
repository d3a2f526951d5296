"""What is asked of the outbox before something leaves: what else waits, how old it is, and what a peer has already."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Select, and_, bindparam, exists, func, or_, select
from sqlalchemy.orm import aliased

from node.domain.lifecycle import OPEN_STATES, State
from node.store.database import Transaction
from node.store.sending import offered
from node.store.sending.outbox import ClaimedDelivery
from node.store.stopping import holds, recalls, rejection_notes
from node.store.tables.choices import EXTRAS, DeliveryKind, JobKind
from node.store.tables.image_tables import Study
from node.store.tables.result_tables import Analysis, Delivery, Rendition
from node.store.tables.work_tables import Job
from node.store.working import analyses

_CONTEXTS_LOOKED_AT = 2000  # waiting deliveries; what stands behind them opens an association of its own


def syntaxes_waiting(
    tx: Transaction, peer: str, in_hand: int | None = None, gets: Collection[str] = ()
) -> Sequence[tuple[str, str]]:
    """Return the pairs of SOP Class UID and Transfer Syntax UID in which what waits for a peer may leave.

    They are those of every form of the reports, and of what is to follow them, in the order in which it was made.

    Parameters
    ----------
    tx
        A transaction.
    peer
        The peer's name.
    in_hand
        Number of a rendition that counts as waiting, too.
    gets
        Of `node.store.tables.choices.DeliveryKind`: what the peer gets.
    """
    next_ones = (
        select(Delivery.rendition_id)
        .where(Delivery.peer == peer, Delivery.state == State.WAITING)
        .order_by(Delivery.priority, Delivery.due_at, Delivery.id)
        .limit(_CONTEXTS_LOOKED_AT)
    )
    named = aliased(Rendition)
    follows = Rendition.kind.in_([kind for kind in EXTRAS if kind.value in gets])
    beside = and_(
        Rendition.analysis_id == named.analysis_id,
        Rendition.language == named.language,
        or_(follows, and_(Rendition.kind == named.kind, Rendition.profile == named.profile)),
    )
    pair = Rendition.sop_class_uid, Rendition.transfer_syntax_uid
    pairs = select(*pair).join(named, beside).where(or_(named.id.in_(next_ones), named.id == in_hand))
    first_made = pairs.group_by(*pair).order_by(func.min(Rendition.id))
    return [(sop_class, syntax) for sop_class, syntax in tx.execute(first_made)]


def peers_awaited(tx: Transaction) -> frozenset[str]:
    """Return the names of the peers to which something is still to go, whether they are configured or not."""
    return frozenset(tx.scalars(select(Delivery.peer).where(Delivery.state.in_(OPEN_STATES)).distinct()))


def oldest_waiting(tx: Transaction, peer: str) -> datetime | None:
    """Return since when the oldest delivery waits that waits for a peer; None where none does.

    What a hold keeps back is left out: nobody wonders why it waits.
    """
    since = func.min(func.coalesce(Delivery.waits_since, Delivery.created_at))
    waiting = and_(Delivery.peer == peer, Delivery.state.in_(OPEN_STATES), holds.not_held())
    return tx.scalar(select(since).where(waiting))


def holds_report(tx: Transaction, claimed: ClaimedDelivery) -> bool:
    """Return whether the peer has answered that it holds a report of this study by this model, of whatever version.

    That it has lost it since, as a failed storage commitment says, makes no difference; one that was taken back does
    not count.
    """
    sent = (
        exists()
        .where(Delivery.analysis_id == Analysis.id, Delivery.peer == claimed.peer)
        .where(or_(Delivery.state == State.DONE, Delivery.sent_at.is_not(None)))
        .where(Delivery.kind == DeliveryKind.REPORT, ~offered.taken_back(claimed.peer))
        .where(Analysis.study_instance_uid == claimed.study_instance_uid, Analysis.model == claimed.model)
    )
    return tx.scalar(select(sent)) is True


def is_wanted(tx: Transaction, claimed: ClaimedDelivery) -> bool:
    """Return whether a delivery may still leave.

    Its lease stands, nobody cancelled it, no hold keeps it back, and what it brings was neither rejected nor recalled.
    """
    if claimed.kind is not DeliveryKind.REJECTION_NOTE and rejection_notes.is_untrue(tx, claimed.analysis_id):
        return False
    return tx.scalar(_STILL_MINE, {"delivery": claimed.id, "attempt": claimed.attempt}) is not None


_STILL_MINE = select(Delivery.id).where(
    Delivery.id == bindparam("delivery"),
    Delivery.attempt == bindparam("attempt"),
    Delivery.state == State.RUNNING,
    holds.not_held(),
    recalls.not_recalled(),
)


def told(tx: Transaction, study_uid: str, model: str, peer: str) -> analyses.Analysis | None:
    """Return the newest analysis whose report a peer holds or is about to get, or None where it knows of none.

    One that is held counts: an operator lets it go or discards it, and what says the same is no news until then. One
    that was taken back does not, nor one that rests on an image which was rejected since, nor one of a version that was
    recalled. Where a report ended that the peer may have got, nobody knows what it was told.
    """
    counts = (State.DONE, State.HELD, *OPEN_STATES)
    newest = (
        select(Analysis.id, Delivery.state)
        .join(Delivery, Delivery.analysis_id == Analysis.id)
        .where(Analysis.study_instance_uid == study_uid, Analysis.model == model)
        .where(Delivery.peer == peer, Delivery.kind == DeliveryKind.REPORT)
        .where(or_(Delivery.state.in_(counts), offered.may_be_there()))
        .where(~offered.taken_back(peer), ~rejection_notes.rests_on_rejected(), ~recalls.of_recalled_version())
        .order_by(Analysis.id.desc())
        .limit(1)
    )
    found = tx.execute(newest).one_or_none()
    return analyses.get(tx, found.id) if found is not None and found.state in counts else None


def known_since(tx: Transaction, claimed: ClaimedDelivery) -> datetime:
    """Return since when a reader could have had the result that a delivery brings.

    A result is as old as the first one that was made of the same images by the same model, under whatever name of the
    patient; or as the study's completion, where that came before.
    """
    first = tx.execute(_FIRST_OF_SAME_IMAGES, {"analysis": claimed.analysis_id}).scalar_one()
    closed = tx.scalar(select(Study.closed_at).where(Study.study_instance_uid == claimed.study_instance_uid))
    return first if closed is None else min(first, closed)


def _first_of_same_images() -> Select[datetime]:
    one, other = aliased(Analysis), aliased(Analysis)
    same = and_(
        other.study_instance_uid == one.study_instance_uid,
        other.model == one.model,
        other.inputs_digest == one.inputs_digest,
    )
    return select(func.min(other.created_at)).where(one.id == bindparam("analysis"), same)


_FIRST_OF_SAME_IMAGES = _first_of_same_images()


def is_to_follow(tx: Transaction, study_uid: str, model: str) -> bool:
    """Return whether the study is to be composed again anyway."""
    compose = exists().where(
        Job.kind == JobKind.COMPOSE, Job.subject_uid == study_uid, Job.model == model, Job.state.in_(OPEN_STATES)
    )
    return tx.scalar(select(compose)) is True
