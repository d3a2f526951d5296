"""What goes beside a report, each as a delivery of its own that is made once the peer has the report.

So nothing of it comes before its report, waits while that waits or is held, or is left behind by one that never went.
What becomes of it afterwards never touches the report.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import exists, select

from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID
from node.domain.lifecycle import State
from node.domain.report import ReportIdentity
from node.store.database import Transaction
from node.store.sending import offered, outbox
from node.store.sending.outbox import ClaimedDelivery
from node.store.tables.choices import EXTRAS, DeliveryKind
from node.store.tables.result_tables import Analysis, Delivery, Rendition


def offer(tx: Transaction, report: ClaimedDelivery, wanted: Collection[str], now: datetime) -> int:
    """Write a delivery for all that goes beside a report which its peer has just taken; doing it twice adds nothing.

    Parameters
    ----------
    tx
        The transaction that settles the report as sent.
    report
        The report's delivery.
    wanted
        Of `node.store.tables.choices.DeliveryKind`: what the peer gets.
    now
        Aware.

    Returns
    -------
    int
        How many deliveries are new.
    """
    kinds = [kind for kind in EXTRAS if kind.value in wanted]
    if not kinds or report.kind is not DeliveryKind.REPORT:
        return 0
    beside = Rendition.analysis_id == report.analysis_id, Rendition.language == report.rendition.language
    made = select(Rendition.id, Rendition.kind).where(*beside, Rendition.kind.in_(kinds)).order_by(Rendition.id)
    return sum(
        outbox.add(tx, report.analysis_id, report.peer, number, now, kind=kind, waived=report.waived)
        for number, kind in tx.execute(made).all()
    )


def texts_there(tx: Transaction, analysis_id: int, peer: str) -> list[ReportIdentity]:
    """Return the UIDs of the texts beside the report of an analysis that a peer has or may have."""
    columns = Rendition.sop_instance_uid, Rendition.series_instance_uid, Rendition.sop_class_uid
    of_text = Delivery.analysis_id == analysis_id, Delivery.peer == peer, Delivery.kind == DeliveryKind.TEXT
    there = select(*columns).join(Delivery, Delivery.rendition_id == Rendition.id)
    rows = tx.execute(there.where(*of_text, offered.may_be_there()).order_by(Delivery.id))
    return [ReportIdentity(SOPInstanceUID(uid), SeriesInstanceUID(series), of) for uid, series, of in rows]


def report_stands(tx: Transaction, extra: ClaimedDelivery) -> bool:
    """Return whether the peer still has the report beside which something goes, as far as this node knows."""
    report = exists().where(
        Delivery.analysis_id == Analysis.id,
        Delivery.peer == extra.peer,
        Delivery.kind == DeliveryKind.REPORT,
        Delivery.state == State.DONE,
    )
    of_this = Analysis.id == extra.analysis_id, ~offered.taken_back(extra.peer)
    return tx.scalar(select(exists().where(*of_this, report.correlate(Analysis)))) is True
