"""What one version of a model concluded of studies, with what tells studies apart: for figures and registries."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, func, select
from sqlalchemy.orm import aliased

from node.domain.finding import Outcome
from node.domain.instance import InstanceHeader
from node.store.codec import header_from_json
from node.store.database import Transaction
from node.store.tables.choices import DeliveryKind, InstanceKind
from node.store.tables.image_tables import Instance, Study
from node.store.tables.result_tables import Analysis, Delivery

_AT_ONCE = 400


@dataclass(frozen=True, slots=True)
class Exam:
    """The newest result of a version for one study, and the study's first image."""

    study_instance_uid: str
    outcome: Outcome
    findings: tuple[dict[str, Any], ...]  #: of the study, by class, as `node.domain.finding.StudyFinding`
    created_at: datetime
    received_at: datetime  #: when its first image came
    closed_at: datetime | None  #: when the study counted as complete
    sent_at: datetime | None  #: when a peer first answered that it has the report
    sender: str  #: calling AE title of the first image
    header: InstanceHeader  #: of the first image
    images: int


def exams(tx: Transaction, model: str, version: str, limit: int | None = None) -> Iterator[Exam]:
    """Yield the results of a version, the newest study first; of studies with synthetic images none.

    Parameters
    ----------
    tx
        The transaction.
    model, version
        Which.
    limit
        The newest so many; None for all.
    """
    newer = aliased(Analysis)
    followed = exists().where(
        newer.study_instance_uid == Analysis.study_instance_uid,
        newer.model == Analysis.model,
        newer.version == Analysis.version,
        newer.id > Analysis.id,
    )
    marked = exists().where(Instance.study_instance_uid == Analysis.study_instance_uid, Instance.synthetic)
    query = (
        select(Analysis, Study.first_received_at, Study.closed_at)
        .join(Study, Study.study_instance_uid == Analysis.study_instance_uid)
        .where(Analysis.model == model, Analysis.version == version, ~followed, ~marked)
        .order_by(Analysis.id.desc())
        .limit(limit)
    )
    rows = tx.execute(query).all()
    for start in range(0, len(rows), _AT_ONCE):
        yield from _with_images(tx, rows[start : start + _AT_ONCE])


def _with_images(tx: Transaction, rows: Sequence[Any]) -> Iterator[Exam]:
    studies = [row[0].study_instance_uid for row in rows]
    firsts, counts = _first_images(tx, studies)
    sent = _sent(tx, [row[0].id for row in rows])
    for analysis, received_at, closed_at in rows:
        image = firsts.get(analysis.study_instance_uid)
        if image is None:  # its images were called other objects since
            continue
        yield Exam(
            analysis.study_instance_uid,
            analysis.outcome,
            tuple(analysis.findings),
            analysis.created_at,
            received_at,
            closed_at,
            sent.get(analysis.id),
            image.calling_ae_title,
            header_from_json(image.header),
            counts[analysis.study_instance_uid],
        )


def _first_images(tx: Transaction, studies: Sequence[str]) -> tuple[dict[str, Instance], dict[str, int]]:
    images = and_(Instance.study_instance_uid.in_(studies), Instance.kind == InstanceKind.IMAGE)
    firsts: dict[str, Instance] = {}
    counts: dict[str, int] = {}
    for image in tx.scalars(select(Instance).where(images).order_by(Instance.received_at, Instance.sop_instance_uid)):
        firsts.setdefault(image.study_instance_uid, image)
        counts[image.study_instance_uid] = counts.get(image.study_instance_uid, 0) + 1
    return firsts, counts


def _sent(tx: Transaction, analyses: Sequence[int]) -> dict[int, datetime]:
    query = (
        select(Delivery.analysis_id, func.min(Delivery.sent_at))
        .where(Delivery.analysis_id.in_(analyses), Delivery.kind == DeliveryKind.REPORT, Delivery.sent_at.is_not(None))
        .group_by(Delivery.analysis_id)
    )
    return {number: at for number, at in tx.execute(query) if at is not None}
