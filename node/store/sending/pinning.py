"""Which rendition a delivery sends: chosen once among the forms of its report, durably before anything of it leaves.

Until then the delivery names the form that its peer's profile prefers. A form that was pinned is never exchanged for
another one, whatever the peer accepts later: it may hold the first. Only where nothing ever left may an operator's
retry let the choice be made anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Select, and_, bindparam, case, select, update
from sqlalchemy.orm import aliased

from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID
from node.domain.lifecycle import State
from node.domain.report import ReportIdentity
from node.store import audit
from node.store.database import Transaction
from node.store.sending.outbox import ClaimedDelivery
from node.store.tables.choices import DeliveryKind
from node.store.tables.result_tables import Delivery, Rendition
from node.store.working import analyses

UNPINNED_AGAIN = {"pinned_at": case((Delivery.offered_at.is_(None), None), else_=Delivery.pinned_at)}
"""The values with which an operator's retry lets what never left be chosen anew."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form in which a report may leave."""

    rendition_id: int
    sop_class_uid: str
    transfer_syntax_uid: str

    @property
    def syntaxes(self) -> tuple[str, str]:
        """SOP Class UID and Transfer Syntax UID, as a presentation context names them."""
        return self.sop_class_uid, self.transfer_syntax_uid


def forms(tx: Transaction, claimed: ClaimedDelivery) -> Sequence[Form]:
    """Return the forms in which a delivery may leave, the preferred first; the pinned one alone where one is."""
    named = claimed.rendition
    if claimed.is_pinned:
        return [Form(named.id, named.sop_class_uid, named.transfer_syntax_uid)]
    return [Form(*row) for row in tx.execute(_FORMS, {"named": named.id})]


def form_at(tx: Transaction, analysis_id: int, peer: str) -> ReportIdentity | None:
    """Return the UIDs of the form in which a peer got the report of an analysis, or None where none was to go there.

    Of one that waits they are those of the form that is pinned, or that is offered first.
    """
    columns = Rendition.sop_instance_uid, Rendition.series_instance_uid, Rendition.sop_class_uid
    of_report = Delivery.analysis_id == analysis_id, Delivery.peer == peer, Delivery.kind == DeliveryKind.REPORT
    chosen = select(*columns).join(Delivery, Delivery.rendition_id == Rendition.id)
    row = tx.execute(chosen.where(*of_report).order_by(Delivery.id.desc()).limit(1)).one_or_none()
    return None if row is None else ReportIdentity(SOPInstanceUID(row[0]), SeriesInstanceUID(row[1]), row[2])


def pin(tx: Transaction, claimed: ClaimedDelivery, form: Form, now: datetime) -> ClaimedDelivery | None:
    """Choose the form in which a claimed delivery leaves, and return the delivery with it.

    Returns
    -------
    ClaimedDelivery or None
        None where the claim no longer holds, or something is pinned already.
    """
    mine = and_(
        Delivery.id == claimed.id,
        Delivery.attempt == claimed.attempt,
        Delivery.state == State.RUNNING,
        Delivery.pinned_at.is_(None),
    )
    chosen = update(Delivery).where(mine).values(rendition_id=form.rendition_id, pinned_at=now).returning(Delivery.id)
    if tx.scalar(chosen) is None:
        return None
    rendition = claimed.rendition
    if rendition.id != form.rendition_id:
        rendition = analyses.rendition(tx, form.rendition_id)
        said = {"peer": claimed.peer, "delivery": claimed.id, "model": claimed.model, "sop_class": form.sop_class_uid}
        audit.add(tx, now, "rendition chosen", claimed.study_instance_uid, rendition.sop_instance_uid, **said)
    return replace(claimed, rendition=rendition, is_pinned=True)


def _forms() -> Select[int, str, str]:
    """Return the query for all forms of the report that a rendition is one of: same kind, profile and language."""
    named, form = aliased(Rendition), aliased(Rendition)
    same = and_(
        form.analysis_id == named.analysis_id,
        form.kind == named.kind,
        form.profile == named.profile,
        form.language == named.language,
    )
    alike = and_(same, named.kind == DeliveryKind.REPORT) | (form.id == named.id)
    columns = form.id, form.sop_class_uid, form.transfer_syntax_uid
    return select(*columns).join(named, alike).where(named.id == bindparam("named")).order_by(form.id)


_FORMS = _forms()
