"""Rejection notes that an operator takes for wrong: what they named counts again.

What this node sent because of them stays sent, and stands in the timelines.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import and_, select, update

from node.domain.lifecycle import State
from node.domain.rule import IS_OFF, Rule, turned_away
from node.store import audit
from node.store.arriving import instances
from node.store.database import Transaction
from node.store.stopping import rejecting
from node.store.stopping.rejection_notes import not_rejected
from node.store.tables.choices import InstanceKind, JobKind
from node.store.tables.image_tables import Instance
from node.store.tables.operation_tables import Rejection, RejectionNote
from node.store.tables.work_tables import Job
from node.store.working import closing, given_up, queue, work

Rules = Mapping[str, Rule | None]
"""The rules of the models by name, None for one that is off."""


def state_of(tx: Transaction, note_uid: str) -> State | None:
    """Return how far a Key Object Selection that came was applied; None where none has that UID."""
    return tx.scalar(select(RejectionNote.state).where(RejectionNote.sop_instance_uid == note_uid))


def undo(tx: Transaction, note_uid: str, rules: Rules, who: str, now: datetime) -> Collection[str]:
    """Let nothing count any more that a note said, and read and compose again what it had ended.

    Parameters
    ----------
    tx
        A transaction.
    note_uid
        SOP Instance UID of the note.
    rules
        For images that came after their note, which no model was asked about.
    who, now
        Who says so, and when.

    Returns
    -------
    collection of str
        The studies that it named.
    """
    settled = {"state": State.CANCELLED, "settled_at": now, "lease_until": None}
    tx.execute(update(RejectionNote).where(RejectionNote.sop_instance_uid == note_uid).values(**settled))
    counted = and_(Rejection.note_sop_instance_uid == note_uid, Rejection.undone_at.is_(None))
    counts = Counter(tx.scalars(select(Rejection.study_instance_uid).where(counted)))
    for study in sorted(counts):
        closing.lock(tx, study)
    tx.execute(update(Rejection).where(counted).values(undone_at=now, undone_by=who))
    _read_again(tx, note_uid, rules, now)
    rejecting.put_back_reports(tx, note_uid, now)
    for study in sorted(counts):
        rejecting.put_back(tx, study, now)
        audit.add(tx, now, "rejection undone", study, note_uid, instances=counts[study], by=who)
    return counts.keys()


def _read_again(tx: Transaction, note_uid: str, rules: Rules, now: datetime) -> None:
    """Have images read that no note rejects any more, and their studies composed, but for results nobody wants.

    An image that came after its note is one that comes only now, and has a discarded result wanted anew.
    """
    named = select(Rejection.sop_instance_uid).where(Rejection.note_sop_instance_uid == note_uid)
    images = select(Instance).where(Instance.sop_instance_uid.in_(named), Instance.kind == InstanceKind.IMAGE)
    for row in tx.scalars(images.where(not_rejected())).all():
        of_this = and_(Job.kind == JobKind.READ, Job.subject_uid == row.sop_instance_uid)
        known = set(tx.scalars(select(Job.model).where(of_this)))
        models = known or _readers(tx, row, rules)
        reads = [queue.NewRead(row.sop_instance_uid, row.study_instance_uid, model) for model in sorted(models)]
        queue.enqueue_reads(tx, reads, now)
        work.put_back(tx, Job, and_(of_this, Job.state == State.CANCELLED), now)
        closing.reopen(tx, [row.study_instance_uid])
        unwanted = given_up.discarded_models(tx, row.study_instance_uid) & known
        queue.schedule_composes(tx, {(row.study_instance_uid, model): now for model in models - unwanted})


def _readers(tx: Transaction, row: Instance, rules: Rules) -> set[str]:
    """Return the models that read an image which came after its note, and keep why the others do not."""
    held = instances.held(tx, row.sop_instance_uid)
    if held is None or held.removed_at is not None:
        return set()
    sender = row.calling_ae_title
    reasons = {name: turned_away(rule, held.header, sender) if rule else IS_OFF for name, rule in rules.items()}
    row.turned_away = {name: reason for name, reason in reasons.items() if reason is not None}
    return set(reasons) - set(row.turned_away)
