"""Composed results and the reports made of them."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import and_, func, insert, select, update

from node.domain.finding import Outcome, StudyFinding
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.report import ReportIdentity
from node.store.codec import study_findings_from_json, study_findings_to_json
from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.sending import offered
from node.store.tables import result_tables
from node.store.tables.choices import DeliveryKind, JobKind
from node.store.tables.result_tables import Delivery
from node.store.tables.work_tables import Job
from node.store.working import pictures
from node.store.working.pictures import Packed


@dataclass(frozen=True, slots=True)
class NewAnalysis:
    """One result of one model for one study."""

    study_instance_uid: StudyInstanceUID
    model: str
    version: str
    outcome: Outcome
    inputs_digest: str  #: of the sorted input instances: equal inputs make nothing new
    conclusion: str  #: what the report says, in a form that can be compared
    patient_key: str  #: what identifies patient and study in the sources
    created_at: datetime
    predecessor_id: int | None = None
    findings: tuple[StudyFinding, ...] = ()  #: of the study as a whole, by class


@dataclass(frozen=True, slots=True)
class Analysis(NewAnalysis):
    """An analysis that is stored."""

    id: int = 0  #: row number
    anew_for: str = ""  #: who wants a new one in its place, whatever it would say


@dataclass(frozen=True, slots=True)
class NewRendition:
    """One form of a report, or what goes beside it."""

    sop_class_uid: str
    sop_instance_uid: SOPInstanceUID
    series_instance_uid: SeriesInstanceUID
    transfer_syntax_uid: str
    dataset: bytes  #: as it is sent
    profile: str = "default"
    language: str = "en"
    kind: DeliveryKind = DeliveryKind.REPORT
    picture: Packed | None = None  #: what of a heat map's dataset is kept apart

    @property
    def identity(self) -> ReportIdentity:
        """The UIDs, as a later report names them."""
        return ReportIdentity(self.sop_instance_uid, self.series_instance_uid, self.sop_class_uid)


@dataclass(frozen=True, slots=True)
class Rendition(NewRendition):
    """A rendition that is stored."""

    id: int = 0  #: row number
    analysis_id: int = 0
    is_whole: bool = True  #: False: its picture was removed, and `dataset` is what it said of itself


def latest(tx: Transaction, study_uid: str, model: str) -> Analysis | None:
    """Return the newest analysis of this study by this model, of whatever version."""
    newest = (
        select(result_tables.Analysis)
        .where(result_tables.Analysis.study_instance_uid == study_uid, result_tables.Analysis.model == model)
        .order_by(result_tables.Analysis.id.desc())
        .limit(1)
    )
    row = tx.scalar(newest)
    return None if row is None else _analysis(row)


def at_peer(tx: Transaction, study_uid: str, model: str, peer: str, *, taken_back: bool = True) -> Analysis | None:
    """Return the newest analysis whose report a peer has or may have, or None where there is none.

    One that was taken back counts, because the peer got it, but not with `taken_back=False`.
    """
    counts = offered.may_be_there() if taken_back else and_(offered.may_be_there(), ~offered.taken_back(peer))
    newest = (
        select(result_tables.Analysis)
        .join(Delivery, Delivery.analysis_id == result_tables.Analysis.id)
        .where(result_tables.Analysis.study_instance_uid == study_uid, result_tables.Analysis.model == model)
        .where(Delivery.peer == peer, Delivery.kind == DeliveryKind.REPORT, counts)
        .order_by(result_tables.Analysis.id.desc())
        .limit(1)
    )
    row = tx.scalar(newest)
    return None if row is None else _analysis(row)


def versions(tx: Transaction, model: str) -> list[str]:
    """Return the versions of a model that have made results."""
    found = select(result_tables.Analysis.version).where(result_tables.Analysis.model == model).distinct()
    return sorted(tx.scalars(found))


def get(tx: Transaction, analysis_id: int) -> Analysis:
    """Return one analysis by its number."""
    return _analysis(tx.get_one(result_tables.Analysis, analysis_id))


def want_anew(tx: Transaction, study_uid: str, models: Collection[str], who: str) -> None:
    """Let the newest result of a study by each of these models be made anew when it is composed next."""
    of_models = result_tables.Analysis.study_instance_uid == study_uid, result_tables.Analysis.model.in_(models)
    newest = select(func.max(result_tables.Analysis.id)).where(*of_models).group_by(result_tables.Analysis.model)
    wanted = update(result_tables.Analysis).where(result_tables.Analysis.id.in_(newest)).values(anew_for=who)
    tx.execute(wanted, execution_options={"synchronize_session": False})


def of_study(tx: Transaction, study_uid: str) -> list[Analysis]:
    """Return every analysis of a study, the oldest first."""
    query = (
        select(result_tables.Analysis)
        .where(result_tables.Analysis.study_instance_uid == study_uid)
        .order_by(result_tables.Analysis.id)
    )
    return [_analysis(row) for row in tx.scalars(query)]


def add(tx: Transaction, analysis: NewAnalysis) -> int:
    """Add an analysis and return its number."""
    values = {field.name: getattr(analysis, field.name) for field in fields(NewAnalysis)}
    values["findings"] = study_findings_to_json(analysis.findings)
    # the study is locked: what comes to it later has a later number
    of_study = Job.kind == JobKind.READ, Job.study_instance_uid == analysis.study_instance_uid
    last_read = select(func.max(Job.id)).where(*of_study, Job.model == analysis.model)
    values["last_read_id"] = tx.scalar(last_read) or 0
    return tx.execute(insert(result_tables.Analysis).values(**values).returning(result_tables.Analysis.id)).scalar_one()


def add_rendition(tx: Transaction, analysis_id: int, rendition: NewRendition) -> int:
    """Add one form of a report and return its number; a UID that is already there keeps its first bytes.

    The UID follows from what the report says, so the same UID means the same report.
    """
    values = {field.name: getattr(rendition, field.name) for field in fields(NewRendition)}
    picture = values.pop("picture")
    if picture is not None:
        values["dataset"] = rendition.dataset[: picture.begins_at]
        values["picture_id"] = pictures.put(tx, analysis_id, picture)
    tx.execute(
        insert_into(tx, result_tables.Rendition).values(analysis_id=analysis_id, **values).on_conflict_do_nothing()
    )
    same = result_tables.Rendition.sop_instance_uid == rendition.sop_instance_uid
    return tx.execute(select(result_tables.Rendition.id).where(same)).scalar_one()


def first_form(tx: Transaction, analysis_id: int) -> Rendition | None:
    """Return the first form of an analysis' report; all say the same of whose it is and what was found."""
    of_report = result_tables.Rendition.analysis_id == analysis_id, result_tables.Rendition.kind == DeliveryKind.REPORT
    row = tx.scalar(select(result_tables.Rendition).where(*of_report).order_by(result_tables.Rendition.id).limit(1))
    return None if row is None else _rendition(tx, row)


def rendition(tx: Transaction, rendition_id: int) -> Rendition:
    """Return one rendition by its number."""
    return _rendition(tx, tx.get_one(result_tables.Rendition, rendition_id))


def _analysis(row: result_tables.Analysis) -> Analysis:
    return Analysis(
        id=row.id,
        study_instance_uid=StudyInstanceUID(row.study_instance_uid),
        model=row.model,
        version=row.version,
        outcome=row.outcome,
        inputs_digest=row.inputs_digest,
        conclusion=row.conclusion,
        patient_key=row.patient_key,
        created_at=row.created_at,
        predecessor_id=row.predecessor_id,
        findings=study_findings_from_json(row.findings),
        anew_for=row.anew_for,
    )


def _rendition(tx: Transaction, row: result_tables.Rendition) -> Rendition:
    picture = b"" if row.picture_id is None else pictures.get(tx, row.picture_id, row.analysis_id)
    return Rendition(
        id=row.id,
        analysis_id=row.analysis_id,
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=SOPInstanceUID(row.sop_instance_uid),
        series_instance_uid=SeriesInstanceUID(row.series_instance_uid),
        transfer_syntax_uid=row.transfer_syntax_uid,
        profile=row.profile,
        language=row.language,
        kind=row.kind,
        dataset=row.dataset + (picture or b""),
        is_whole=picture is not None,
    )
