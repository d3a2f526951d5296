"""Trainings from the site's labels, one row each: asked for, claimed, run, settled.

Of one model there is never more than one that is still to come: an index of the database says so, whoever asks on
whatever node. It knows rows; what a training is, `node.pipeline.learning.retrain` knows.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, true, update

from node.domain.lifecycle import OPEN_STATES, State
from node.store import audit, notices
from node.store.connection.chunks import chunks
from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.tables.learning_tables import LabelProblem, LearningPatient, Retraining, TrainingUse
from node.store.working import work

ATTEMPTS = 3
"""How often a training may fail or lapse before it is given up."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    model: str
    fired_by: str  #: the same for whoever asks for the same: a minute of the schedule, or one operator's word
    requested_by: str
    recipe: str
    start: str  #: "scratch" or "champion"
    seed: int


@dataclass(frozen=True, slots=True)
class ClaimedRun(work.Claim):
    """A training that this worker has in hand until `lease_until`."""

    model: str
    recipe: str
    start: str
    seed: int
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class Problem:
    """A label that is probably wrong."""

    sop_instance_uid: str
    class_name: str
    present: bool
    likelihood: float


def request(tx: Transaction, asked: Request, now: datetime) -> int | None:
    """Ask for a training and return its number; None where one of the model is to come, or this was asked before."""
    values = work.fresh(now, 0) | {
        "model": asked.model,
        "fired_by": asked.fired_by,
        "requested_at": now,
        "requested_by": asked.requested_by,
        "recipe": asked.recipe,
        "start": asked.start,
        "seed": asked.seed,
    }
    new = insert_into(tx, Retraining).values(**values).on_conflict_do_nothing().returning(Retraining.id)
    number = tx.scalar(new)
    if number is not None:
        audit.add(tx, now, "training requested", model=asked.model, run=number, by=asked.requested_by)
        notices.tell(tx, notices.Work.RETRAIN)
    return number


def claim(tx: Transaction, now: datetime, lease_s: float, worker: str) -> ClaimedRun | None:
    """Take the next training, or None where none is due; one whose worker died is taken back first."""
    work.rescue(tx, Retraining, now, ATTEMPTS)
    identity = work.claim(tx, Retraining, true(), now, lease_s, worker)
    if identity is None:
        return None
    row = tx.get_one(Retraining, identity, populate_existing=True)
    row.started_at = row.started_at or now
    return ClaimedRun(
        id=row.id,
        attempt=row.attempt,
        failures=row.failures,
        max_attempts=ATTEMPTS,
        lease_until=work.lease_end(row),
        last_error=row.last_error,
        model=row.model,
        recipe=row.recipe,
        start=row.start,
        seed=row.seed,
        requested_at=row.requested_at,
    )


def next_due(tx: Transaction) -> datetime | None:
    """Return when there may be a training to run."""
    return work.next_wake(tx, Retraining)


def rescue(tx: Transaction, now: datetime) -> None:
    """Take back all that a killed process had in hand."""
    work.rescue(tx, Retraining, now, ATTEMPTS, everything=True)


def extend(
    tx: Transaction, run: ClaimedRun, now: datetime, lease_s: float, progress: tuple[str, int, int] | None
) -> bool:
    """Let the lease run on, and say how far the training is; False where its end was asked for, or it is lost."""
    if not work.extend(tx, Retraining, run, now, lease_s):
        return False
    if progress is not None:
        _set(tx, run, stage=progress[0], done=progress[1], total=progress[2])
    return not is_cancelled(tx, run)


def learns_from(
    tx: Transaction, run: ClaimedRun, patients: Mapping[str, int], digest: str, labels_until: datetime | None
) -> None:
    """Keep what a training learns from, before it begins: whoever is forgotten later is found in it."""
    for patient, images in patients.items():
        use = insert_into(tx, TrainingUse).values(retraining_id=run.id, patient=patient, images=images)
        tx.execute(use.on_conflict_do_nothing())
    _set(tx, run, labels=sum(patients.values()), labels_until=labels_until, data_digest=digest)


def found(tx: Transaction, run: ClaimedRun, problems: Sequence[Problem], now: datetime) -> None:
    """Put labels that are probably wrong on the list; one that an operator has settled stays settled."""
    for one in problems:
        values = {
            "sop_instance_uid": one.sop_instance_uid,
            "class_name": one.class_name,
            "present": one.present,
            "likelihood": one.likelihood,
            "retraining_id": run.id,
            "found_at": now,
        }
        tx.execute(insert_into(tx, LabelProblem).values(**values).on_conflict_do_nothing())


def finish(tx: Transaction, run: ClaimedRun, now: datetime, bundle: str, version: str, verdict: str) -> bool:
    """Settle a training that has its verdict; False where it is lost."""
    values: dict[str, Any] = {"bundle": bundle, "version": version, "verdict": verdict, "stage": "", "last_error": ""}
    values |= {"done": 1, "total": 1}
    if not work.finish(tx, Retraining, run, now, **values):
        return False
    audit.add(tx, now, "training done", model=run.model, run=run.id, version=version, verdict=verdict)
    return True


def fail(
    tx: Transaction, run: ClaimedRun, now: datetime, reason: str, *, permanent: bool, jitter: random.Random
) -> None:
    """Settle a training that failed: again later, or given up with the reason."""
    state = work.fail(tx, Retraining, run, now, reason, permanent=permanent, jitter=jitter)
    if state is State.BURIED:
        audit.add(tx, now, "training given up", model=run.model, run=run.id, reason=reason)


def put_back(tx: Transaction, run: ClaimedRun, now: datetime) -> None:
    """Put back a training that the end of the node interrupts; it goes on at the next start."""
    work.release(tx, Retraining, run, now)


def wait(tx: Transaction, run: ClaimedRun, until: datetime, reason: str) -> None:
    """Let a training wait for what is missing; that counts as no failure."""
    work.release(tx, Retraining, run, until, last_error=reason)


def withdraw(tx: Transaction, run: ClaimedRun, now: datetime) -> None:
    """Settle a training whose end an operator asked for."""
    work.withdraw(tx, Retraining, run, now, "cancelled by an operator")


def is_cancelled(tx: Transaction, run: ClaimedRun) -> bool:
    """Return whether an operator asked for the end of a training."""
    return tx.scalar(select(Retraining.cancel_at).where(Retraining.id == run.id)) is not None


def cancel(tx: Transaction, number: int, who: str, now: datetime) -> State | None:
    """Ask for the end of a training; return its state by now, None where there is no such one."""
    row = tx.get(Retraining, number, populate_existing=True)
    if row is None:
        return None
    if row.state in OPEN_STATES:
        asked = update(Retraining).where(Retraining.id == number)
        tx.execute(asked.values(cancel_at=now, cancelled_by=who), execution_options={"synchronize_session": False})
        work.cancel(
            tx, Retraining, Retraining.id == number, now, (State.WAITING,), last_error="cancelled by an operator"
        )
        audit.add(tx, now, "training cancelled", model=row.model, run=number, by=who)
        notices.tell(tx, notices.Work.RETRAIN)
    return tx.scalar(select(Retraining.state).where(Retraining.id == number))


def all(tx: Transaction) -> list[Retraining]:  # noqa: A001 - read as retrainings.all
    """Return every training, the newest first."""
    return list(tx.scalars(select(Retraining).order_by(Retraining.id.desc())))


def labels_learned(tx: Transaction, model: str) -> datetime | None:
    """Return when the newest label was recorded that a finished training of a model knew."""
    done = select(Retraining.labels_until).where(Retraining.model == model, Retraining.state == State.DONE)
    return tx.scalar(done.order_by(Retraining.id.desc()).limit(1))


def trained_on(tx: Transaction, patients: Collection[str]) -> list[Retraining]:
    """Return the trainings that knew some patients' images, or began from a version that did, the newest first."""
    knew = images_of(tx, patients)
    return [row for row in all(tx) if row.id in knew]


def patients_of(tx: Transaction, version: str) -> set[str]:
    """Return whom the trainings knew that a version came from, by pseudonym; nobody of one that came from elsewhere."""
    made = select(Retraining.id).where(Retraining.version == version)
    return set(tx.scalars(select(TrainingUse.patient).where(TrainingUse.retraining_id.in_(made))))


def images_of(tx: Transaction, patients: Collection[str]) -> dict[int, int]:
    """Return how many images of a patient each training knew, by its number; 0 where another began from it."""
    found = dict[int, int]()
    for some in chunks(patients):
        used = select(TrainingUse.retraining_id, TrainingUse.images).where(TrainingUse.patient.in_(some))
        for number, count in tx.execute(used):
            found[number] = max(count, found.get(number, 0))
    return found


def also_of(tx: Transaction, before: str, after: str) -> None:
    """Keep that what knew a patient knew another, too, whose images some of them are by now."""
    known = select(TrainingUse.retraining_id, TrainingUse.images).where(TrainingUse.patient == before)
    for number, images in tx.execute(known).all():
        use = insert_into(tx, TrainingUse).values(retraining_id=number, patient=after, images=images)
        tx.execute(use.on_conflict_do_nothing())


def left_out_in(tx: Transaction, run: ClaimedRun) -> int:
    """Return of how many patients nothing is used any more whose own images a training learned from or chose on."""
    left_out = select(LearningPatient.patient).where(LearningPatient.left_out != "")
    uses = select(func.count()).select_from(TrainingUse).where(TrainingUse.retraining_id == run.id)
    return tx.scalar(uses.where(TrainingUse.images > 0, TrainingUse.patient.in_(left_out))) or 0


def inherits(tx: Transaction, run: ClaimedRun, version: str) -> None:
    """Keep that a training begins from a version that others' images are in."""
    before = select(Retraining.id).where(Retraining.model == run.model, Retraining.version == version)
    known = select(TrainingUse.patient).where(TrainingUse.retraining_id.in_(before)).distinct()
    for patient in tx.scalars(known).all():
        use = insert_into(tx, TrainingUse).values(retraining_id=run.id, patient=patient, images=0)
        tx.execute(use.on_conflict_do_nothing())


def problems(tx: Transaction) -> list[LabelProblem]:
    """Return labels that are probably wrong and were not settled, the unlikeliest first."""
    return list(
        tx.scalars(select(LabelProblem).where(LabelProblem.settled_at.is_(None)).order_by(LabelProblem.likelihood))
    )


def settle_problem(tx: Transaction, sop_uid: str, class_name: str, who: str, now: datetime) -> bool:
    """Take a label off the list because somebody looked at it; False where it is not on it."""
    on_it = (LabelProblem.sop_instance_uid == sop_uid, LabelProblem.class_name == class_name)
    settled = update(LabelProblem).where(*on_it, LabelProblem.settled_at.is_(None))
    changes = settled.values(settled_at=now, settled_by=who).returning(LabelProblem.sop_instance_uid)
    return tx.scalar(changes, execution_options={"synchronize_session": False}) is not None


def _set(tx: Transaction, run: ClaimedRun, **values: object) -> None:
    held = update(Retraining).where(Retraining.id == run.id, Retraining.attempt == run.attempt)
    tx.execute(held.values(**values), execution_options={"synchronize_session": False})
