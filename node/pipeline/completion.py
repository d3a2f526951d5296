"""When a study is complete: signals bring its composes forward, and the compose that is claimed closes the study.

How long a study waits otherwise is decided when an image is recorded (`node.pipeline.recording`) and stands in the row
of its compose. Nothing here waits, and nothing is kept in memory: any process may give a signal.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from node.domain.completion import Signal
from node.network.released import ReleasedAssociation
from node.pipeline.senders import Sender, Senders
from node.store import audit, closing, habits, queue
from node.store.database import Transaction
from node.store.job_claims import ClaimedJob

COMPLETE = "study complete"
FORCED = "completion forced"
"""Events of the timeline."""


def complete(tx: Transaction, study_uid: str, signal: Signal, now: datetime) -> None:
    """Let a study count as complete now: its composes, where they wait for more images, are due, and know why.

    Images that are not read yet are read first. Where nothing waits, because all that came is reported already or no
    model reads any of it, nothing happens; so a signal may be given twice.

    Parameters
    ----------
    tx
        The transaction of what gave the signal.
    study_uid
        Which study.
    signal
        What says so.
    now
        Aware.
    """
    queue.bring_forward(tx, study_uid, now, signal)


def released(
    tx: Transaction, association: ReleasedAssociation, senders: Senders, grace_s: float, now: datetime
) -> None:
    """Let the studies that an association brought count as complete after the grace, where its sender is so known.

    Of a sender that may be asked what it holds, the question is asked then instead of after half of the quiet period.
    """
    sender = senders.get(association.calling_ae_title, Sender(0.0))
    at = now + timedelta(seconds=grace_s)
    for study_uid in sorted(association.studies):  # the same order in every process, so that none waits in a circle
        if sender.one_study_per_association:
            queue.bring_forward(tx, study_uid, at, Signal.ASSOCIATION_RELEASED)
        elif sender.query:
            queue.ask_sooner(tx, study_uid, at)


def close(tx: Transaction, job: ClaimedJob, learning: Collection[str], default_s: float, now: datetime) -> None:
    """Close the study of a compose that has been done, where it is open; say what was waited for, and learn from it.

    Of several models, the first whose compose is done closes the study.

    Parameters
    ----------
    tx
        The transaction that settles the compose.
    job
        It.
    learning
        Calling AE titles whose quiet period is learnt.
    default_s
        The quiet period of the others; a longer gap counts as this one.
    now
        Aware.
    """
    closed = closing.close(tx, job.study_instance_uid, job.signal, now) if job.signal else None
    if closed is None:
        return
    waited_s = round((now - closed.last_image_at).total_seconds(), 3)
    audit.add(tx, now, COMPLETE, job.study_instance_uid, signal=job.signal, waited_s=waited_s, images=closed.images)
    if learning and not closed.is_backfill:  # how an archive paces what it was asked for says nothing of new studies
        habits.learn(tx, job.study_instance_uid, sorted(learning), default_s, now)
