"""What is asked before a report leaves: that it is still true, allowed, prompt, and about the right patient.

It knows rows and what a peer has answered, and sends nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from node.config import PeerSettings
from node.domain.errors import Permanent, Transient
from node.domain.instance import InstanceHeader
from node.domain.lifecycle import HeldFor
from node.domain.patient import differing
from node.pipeline.analysis.conclude import destinations, patient_key, says_the_same
from node.store.arriving import instances, merges, synthetic_marks
from node.store.database import Transaction
from node.store.registering import registry
from node.store.sending import extras, outgoing
from node.store.sending.outbox import ClaimedDelivery
from node.store.stopping import recalls, rejection_notes
from node.store.tables.choices import EXTRAS, DeliveryKind
from node.store.working import analyses, queue
from node.store.working.analyses import Analysis

_SENDS = "`pacs-node release --delivery {0}` sends it, with --discard it is dropped"
_WAY_OUT = {
    HeldFor.AGE: _SENDS,
    HeldFor.STUDY: _SENDS,
    HeldFor.PATIENT: (
        "`pacs-node release --delivery {0}` asks again, with --despite-patient sends it, with --discard it is dropped"
    ),
}


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why a delivery waits for an operator's word."""

    held_for: HeldFor
    text: str

    def said(self, delivery_id: int) -> str:
        """Return it with the ways out."""
        return f"{self.text}; {_WAY_OUT[self.held_for].format(delivery_id)}"


class IdentityCorrected(Transient):
    """The newest header stored names another patient or study than the report: a corrected one is to follow."""


def superseded(tx: Transaction, delivery: ClaimedDelivery) -> str:
    """Return why a report is no longer wanted, or "" where it is.

    Raises
    ------
    IdentityCorrected
        Where the patient or study is another by now than the report says.
    """
    if delivery.kind is DeliveryKind.REJECTION_NOTE:
        return ""  # it takes a report back, which stays true whatever came since
    analysis = analyses.get(tx, delivery.analysis_id)
    if reason := _outdated(tx, delivery, analysis):
        return reason
    whose = header_that_counts(tx, delivery)
    if whose is None:
        return "the study has no image any more"
    if patient_key(whose) != analysis.patient_key:
        raise IdentityCorrected(
            "the patient's or study's identity was corrected since; a corrected report is to follow"
        )
    return ""


def not_asked_for(delivery: ClaimedDelivery, peer: PeerSettings) -> str:
    """Return why what goes beside a report is no longer wanted by its peer's `gets`, or "" where it is."""
    if delivery.kind not in EXTRAS or delivery.kind.value in peer.gets:
        return ""
    return f'gets of {peer.name} does not name "{delivery.kind.value}" any more'


def _outdated(tx: Transaction, delivery: ClaimedDelivery, analysis: Analysis) -> str:
    if delivery.kind in EXTRAS and not extras.report_stands(tx, delivery):
        return "the report beside which it goes does not stand at the peer any more"
    if rejection_notes.is_untrue(tx, delivery.analysis_id):
        return "an image that it rests on was rejected"
    if recalled := recalls.why(tx, analysis.model, analysis.version):
        return recalled
    latest = analyses.latest(tx, delivery.study_instance_uid, delivery.model)
    differs = latest is not None and not says_the_same(latest, analysis)
    return "a newer report says otherwise" if differs else ""


def header_that_counts(tx: Transaction, delivery: ClaimedDelivery) -> InstanceHeader | None:
    """Return the newest header stored of the images reported on, with the patient that it counts as, or None."""
    newest = instances.newest_header(tx, delivery.study_instance_uid, delivery.model)
    return None if newest is None else merges.counted_as(tx, newest.header)


def see_that_it_follows(tx: Transaction, delivery: ClaimedDelivery, now: datetime) -> None:
    """See that a study whose identity was corrected is composed again, where nothing else has asked for it."""
    if not outgoing.is_to_follow(tx, delivery.study_instance_uid, delivery.model):
        queue.schedule_composes(tx, {(delivery.study_instance_uid, delivery.model): now})


def require_permission(tx: Transaction, delivery: ClaimedDelivery, peer: PeerSettings) -> None:
    """See that the model's mode, and what came to the study since, let the report go there, and that it is whole.

    Raises
    ------
    Permanent
        Where they do not; an operator can change it, and put the delivery back.
    """
    if delivery.kind is DeliveryKind.REJECTION_NOTE:
        return
    registration = registry.get(tx, delivery.model)
    mode = registration.mode if registration else "off"
    outcome = analyses.get(tx, delivery.analysis_id).outcome
    if synthetic_marks.is_synthetic(tx, delivery.study_instance_uid) and not peer.test:
        raise Permanent(f"the study holds synthetic images, and {peer.name} has no test = true: no report goes there")
    if not delivery.rendition.is_whole:
        raise Permanent(
            "its picture was removed with the files of its study ([storage] keep_days): send the images again, and "
            f"`pacs-node studies {delivery.study_instance_uid} --recompose` has it drawn again, with a new report"
        )
    if not destinations([peer], mode, outcome):
        raise Permanent(f"model {delivery.model} is in mode {mode}: its reports may not go to {peer.name}")


def too_late(tx: Transaction, delivery: ClaimedDelivery, now: datetime, max_result_age_s: float) -> Hindrance | None:
    """Return why a result came too late to go to a reader unasked, or None where it may go.

    What corrects a report that the peer has always goes, and so does what an operator has let go although it was late.
    """
    if delivery.kind is not DeliveryKind.REPORT or HeldFor.AGE in delivery.waived:
        return None
    age = now - outgoing.known_since(tx, delivery)
    if age <= timedelta(seconds=max_result_age_s) or outgoing.holds_report(tx, delivery):
        return None
    return Hindrance(
        HeldFor.AGE,
        f"the result is {_spelled(age)} old, and [deliver] max_result_age_s is {max_result_age_s:g}: a reader may have "
        "reported long ago",
    )


def is_asked_about(delivery: ClaimedDelivery, peer: PeerSettings) -> bool:
    """Return whether the peer is asked who the patient is before this leaves, as nobody has said that it may differ."""
    return peer.query and delivery.kind is not DeliveryKind.REJECTION_NOTE and HeldFor.PATIENT not in delivery.waived


def mismatch(
    header: InstanceHeader,
    answers: Sequence[Mapping[str, str]],
    peer: PeerSettings,
    waited: timedelta,
    identity_wait_s: float,
) -> Hindrance | None:
    """Return why a peer's study is not that of a report, or None where it is; values stay out of it.

    Parameters
    ----------
    header
        The newest header stored, with the patient that it counts as.
    answers
        What the peer holds under that Study Instance UID.
    peer
        Who was asked.
    waited
        How long the delivery waits already.
    identity_wait_s
        How long it waits for a study that the peer does not hold yet.

    Raises
    ------
    Transient
        Where the peer does not hold the study, and may still get it.
    """
    of_study = [answer for answer in answers if not differing_study(header, answer)]
    if not of_study:
        if waited < timedelta(seconds=identity_wait_s):
            raise Transient(f"{peer.name} does not hold the study yet: whose it is there cannot be asked")
        return Hindrance(
            HeldFor.STUDY,
            f"{peer.name} does not hold the study after {_spelled(waited)} ([deliver] identity_wait_s), so whose it is "
            "there cannot be asked",
        )
    names = dict.fromkeys(name for answer in of_study for name in differing(header, answer))
    if not names:
        return None
    return Hindrance(
        HeldFor.PATIENT,
        f"{peer.name} holds the study under another identity ({', '.join(names)} differs): have it corrected at one of "
        "the two",
    )


def differing_study(header: InstanceHeader, answer: Mapping[str, str]) -> bool:
    """Return whether an answer is about another study: some archives answer more than they were asked."""
    return "StudyInstanceUID" in differing(header, answer)


def _spelled(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
