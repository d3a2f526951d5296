"""In which form a report leaves: the first in the order of its peer's profile that the peer accepts.

It knows presentation contexts and rows; when the choice is made durable is the courier's business.

References
----------
DICOM PS3.8 7.1.1.13 (presentation contexts): what is accepted is known once the association is.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from node.network.peer import ContextNotAccepted
from node.network.presentation import syntax_name
from node.pipeline.delivery import leaving
from node.store.database import Transaction
from node.store.sending import pinning
from node.store.sending.outbox import ClaimedDelivery
from node.store.sending.pinning import Form
from node.store.working import closing

Accepts = Callable[[tuple[str, str]], bool | None]
"""Whether a peer accepted a pair of SOP class and transfer syntax; None where it was not asked."""


def accepted(forms: Sequence[Form], accepts: Accepts) -> Form | None:
    """Return the first form that a peer accepts, or None where there is none, or it was not asked about all."""
    answers = [accepts(form.syntaxes) for form in forms]
    if None in answers:
        return None
    return next((form for form, answer in zip(forms, answers, strict=True) if answer), None)


def required(forms: Sequence[Form], accepts: Accepts, delivery: ClaimedDelivery) -> Form:
    """Return the first form that a peer accepts of those in which a delivery may leave.

    Raises
    ------
    ContextNotAccepted
        Where it accepts none; the message has the way out.
    """
    form = accepted(forms, accepts)
    if form is None:
        raise ContextNotAccepted(_refusal(forms, delivery))
    return form


def pin_while_open(tx: Transaction, delivery: ClaimedDelivery, accepts: Accepts, now: datetime) -> ClaimedDelivery:
    """Pin the form of a delivery in the transaction that claims it, where a standing association shows which."""
    if delivery.is_pinned:
        return delivery
    form = accepted(pinning.forms(tx, delivery), accepts)
    return delivery if form is None else pinning.pin(tx, delivery, form, now) or delivery


def pin(tx: Transaction, delivery: ClaimedDelivery, form: Form, now: datetime) -> ClaimedDelivery | None:
    """Pin the form of a delivery that was claimed before, or return None where it is no longer wanted.

    From then on the report may be at the peer, and its successor names it. So the study is locked, as for whoever
    composes: either a successor is there already and this does not leave, or it comes later and sees the pin.
    """
    closing.lock(tx, delivery.study_instance_uid)
    return None if leaving.superseded(tx, delivery) else pinning.pin(tx, delivery, form, now)


def _refusal(forms: Sequence[Form], delivery: ClaimedDelivery) -> str:
    names = ", ".join(f"{syntax_name(form.sop_class_uid)} in {syntax_name(form.transfer_syntax_uid)}" for form in forms)
    only = "in which alone this leaves" if delivery.is_pinned else "in one of which this may leave"
    way_out = f"have it accept that, and `pacs-node retry --delivery {delivery.id}` sends it"
    if delivery.is_pinned:
        way_out += (
            f"; `pacs-node studies {delivery.study_instance_uid} --recompose` makes it anew, by the peer's profile"
        )
    return f"{delivery.peer} does not accept {names}, {only}: {way_out}"
