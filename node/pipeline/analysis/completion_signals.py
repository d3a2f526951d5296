"""When a study is complete: signals bring its composes forward, and the compose that is claimed closes the study.

How long a study waits otherwise is decided when an image is recorded (`node.pipeline.intake.recorder`) and stands in
the row of its compose. Nothing here waits, and nothing is kept in memory: any process may give a signal.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from node.domain.completion import Signal
from node.network.released import ReleasedAssociation
from node.pipeline.receive_policy import ReceivePolicy
from node.pipeline.senders import Sender, Senders
from node.store import audit
from node.store.arriving import habits
from node.store.database import Transaction
from node.store.working import closing, waits
from node.store.working.job_claims import ClaimedJob

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
    waits.bring_forward(tx, study_uid, now, signal)


def force(tx: Transaction, study_uid: str, who: str, now: datetime) -> bool:
    """Let a study count as complete because an operator says so; return whether it waited for more images."""
    is_waiting = waits.waits_for_images(tx, study_uid, now)
    if is_waiting:
        complete(tx, study_uid, Signal.OPERATOR, now)
        audit.add(tx, now, FORCED, study_uid, by=who)
    return is_waiting


def released(tx: Transaction, association: ReleasedAssociation, policy: ReceivePolicy, now: datetime) -> None:
    """Let the studies that an association brought count as complete after the grace, where its sender is so known.

    Of a sender that may be asked what it holds, the question is asked then instead of after half of the quiet period.
    """
    sender = policy.senders.get(association.calling_ae_title, Sender())
    at = now + timedelta(seconds=policy.release_grace_s)
    for study_uid in sorted(association.studies):  # the same order in every process, so that none waits in a circle
        if sender.one_study_per_association:
            waits.bring_forward(tx, study_uid, at, Signal.ASSOCIATION_RELEASED)
        elif sender.query:
            waits.ask_sooner(tx, study_uid, at)


class Closer:
    """Closes the studies of composes that are done.

    Parameters
    ----------
    quiet_period_s
        Of senders of which nothing else is set; where one is learnt, a longer gap counts as this one.
    max_wait_s
        How long a compose that was done with a part of its images waits for the reads of the others.
    senders
        By calling AE title.
    """

    def __init__(self, quiet_period_s: float, max_wait_s: float, senders: Senders) -> None:
        self._quiet_period_s, self._max_wait = quiet_period_s, timedelta(seconds=max_wait_s)
        self._learning = sorted(title for title, sender in senders.items() if sender.quiet_period_s is None)

    def close(self, tx: Transaction, job: ClaimedJob, unread: Collection[str], now: datetime) -> None:
        """Close the study of a compose, where it is open; say what was waited for, and learn from it.

        Of several models, the first whose compose is done closes the study.

        Parameters
        ----------
        tx
            The transaction that has settled the compose as done.
        job
            It.
        unread
            SOP Instance UIDs that were not read yet when it began, because it could wait no longer: the compose is
            put back, to be done again once they are.
        now
            Aware.
        """
        if unread:
            waits.wait_for_reads(tx, job.study_instance_uid, job.model, now, now + self._max_wait)
        signal = Signal.LONGEST_WAIT if unread else job.signal
        closed = closing.close(tx, job.study_instance_uid, signal, now) if signal else None
        if closed is None:
            return
        waited_s = round((now - closed.last_image_at).total_seconds(), 3)
        audit.add(tx, now, COMPLETE, job.study_instance_uid, signal=signal, waited_s=waited_s, images=closed.images)
        if self._learning and not closed.is_backfill:  # an archive's pace says nothing of new studies
            habits.learn(tx, job.study_instance_uid, self._learning, self._quiet_period_s, now)
