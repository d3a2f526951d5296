"""A `compose` job done: a study's readings become one conclusion, one report and its deliveries, in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from node.config import PeerSettings
from node.dicom.encoding import IMPLICIT_VR_LITTLE_ENDIAN
from node.domain.finding import Reading
from node.domain.identifiers import SOPInstanceUID
from node.domain.instance import InstanceHeader
from node.domain.report import ModelIdentity, ReportContent, ReportIdentity, report_identity
from node.pipeline.catalogue import Catalogue
from node.pipeline.conclude import (
    conclusion_of,
    destinations,
    digest_of,
    inputs_of,
    outcome_of,
    patient_key,
    says_the_same,
)
from node.pipeline.reading import not_read
from node.store import analyses, audit, findings, instances, job_claims, outbox, queue, registry, synthetic
from node.store.analyses import Analysis, NewAnalysis, NewRendition
from node.store.database import Database, Transaction
from node.store.files import InstanceFiles
from node.store.instances import HeldInstance
from node.store.job_claims import ClaimedJob
from node.store.queue import NewRead
from node.telemetry import logger

_log = logger("pipeline.compose")

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"


@dataclass(frozen=True, slots=True)
class Material:
    """What a report is made from, as it stood when the job was taken."""

    readings: tuple[Reading, ...]
    inputs: tuple[str, ...]  #: what the report's identity is made from
    sources: tuple[HeldInstance, ...]  #: in the order of the readings; the newest header first
    latest: Analysis | None
    predecessor: ReportIdentity | None
    synthetic: bool = False  #: the study is

    @property
    def header(self) -> InstanceHeader:
        """The newest header: it says whose study this is."""
        return self.sources[0].header


class Composer:
    """Handles claimed `compose` jobs.

    Parameters
    ----------
    database, files
        Where rows and bytes are kept.
    catalogue
        The models and their opened bundles.
    peers
        The configured peers.
    clock
        The time now, aware.
    wake
        Called after deliveries were written.
    """

    def __init__(
        self,
        database: Database,
        files: InstanceFiles,
        catalogue: Catalogue,
        peers: Sequence[PeerSettings],
        clock: Callable[[], datetime],
        wake: Callable[[], None],
    ) -> None:
        self._database, self._files, self._catalogue, self._peers = database, files, catalogue, peers
        self._clock, self._wake = clock, wake

    def handle(self, job: ClaimedJob) -> None:
        """Compose the study's report and settle the job together with it; unchanged input makes nothing new."""
        model = self._catalogue.served(job.model).identity
        outdated = self._database.read(
            lambda tx: findings.outdated(tx, job.study_instance_uid, job.model, model.version)
        )
        material = None if outdated else self._database.read(lambda tx: gather(tx, job, model))
        if material is None or unchanged(material, model):
            self._database.write(lambda tx: self._put_off(tx, job, outdated))
        else:
            analysis = self._analysis(job, model, material)
            rendition = self._rendition(analysis, model, material)
            self._database.write(lambda tx: self._settle(tx, job, analysis, rendition))
            _log.info(
                "report composed", study_instance_uid=job.study_instance_uid, model=job.model, outcome=analysis.outcome
            )
        self._wake()

    def _put_off(self, tx: Transaction, job: ClaimedJob, outdated: Sequence[SOPInstanceUID]) -> None:
        """Settle without a report; images that another version read are read again first, and then it is due."""
        now = self._clock()
        reads = [NewRead(uid, job.study_instance_uid, job.model) for uid in outdated]
        queue.enqueue_reads(tx, reads, now, again=True)
        if outdated:
            queue.schedule_composes(tx, {(job.study_instance_uid, job.model): now})
        job_claims.finish(tx, job, now)

    def _analysis(self, job: ClaimedJob, model: ModelIdentity, material: Material) -> NewAnalysis:
        return NewAnalysis(
            study_instance_uid=job.study_instance_uid,
            model=model.name,
            version=model.version,
            outcome=outcome_of(material.readings),
            inputs_digest=digest_of(material.inputs),
            conclusion=conclusion_of(material.readings, synthetic=material.synthetic),
            patient_key=patient_key(material.header),
            created_at=self._clock(),
            predecessor_id=material.latest.id if material.latest else None,
        )

    def _rendition(self, analysis: NewAnalysis, model: ModelIdentity, material: Material) -> NewRendition:
        # highdicom and its needs are imported by the first report, not by a process that only receives
        from node.dicom.report import build_report  # noqa: PLC0415

        identity = report_identity(
            analysis.study_instance_uid,
            model,
            material.inputs,
            COMPREHENSIVE_3D_SR,
            patient_key=analysis.patient_key,
            predecessor=material.predecessor.sop_instance_uid if material.predecessor else "",
        )
        content = ReportContent(
            analysis.study_instance_uid,
            model,
            analysis.outcome,
            material.readings,
            analysis.created_at.astimezone(),  # in the site's zone: the study's own times are local
            material.predecessor,
            material.synthetic,
        )
        sources = [self._files.path(source.newest_path) for source in material.sources]
        return NewRendition(
            identity.sop_class_uid,
            identity.sop_instance_uid,
            identity.series_instance_uid,
            IMPLICIT_VR_LITTLE_ENDIAN,
            build_report(content, identity, sources),
        )

    def _settle(self, tx: Transaction, job: ClaimedJob, analysis: NewAnalysis, rendition: NewRendition) -> None:
        now = self._clock()
        if not job_claims.finish(tx, job, now):
            return  # another worker holds the job since this one's lease ran out: its report counts
        analysis_id = analyses.add(tx, analysis)
        rendition_id = analyses.add_rendition(tx, analysis_id, rendition)
        sent_to = self._offer(tx, analysis, analysis_id, rendition_id, now)
        audit.add(
            tx,
            now,
            "report composed",
            study_uid=job.study_instance_uid,
            sop_uid=rendition.sop_instance_uid,
            model=job.model,
            version=analysis.version,
            outcome=analysis.outcome,
            inputs=analysis.inputs_digest[:16],
            destinations=sent_to,
        )

    def _offer(
        self, tx: Transaction, analysis: NewAnalysis, analysis_id: int, rendition_id: int, now: datetime
    ) -> list[str]:
        """Write a delivery to each peer for which this report is news, and take back what it makes untrue."""
        registration = registry.get(tx, analysis.model)
        mode = registration.mode if registration else "off"
        marked = synthetic.is_synthetic(tx, analysis.study_instance_uid)
        getting = destinations(self._peers, mode, analysis.outcome, synthetic=marked)
        offered = []
        for peer in (peer.name for peer in self._peers if peer.gets):
            told = outbox.told(tx, analysis.study_instance_uid, analysis.model, peer)
            if told is not None and says_the_same(told, analysis):
                continue
            outbox.cancel_waiting(tx, analysis.study_instance_uid, analysis.model, peer, now)
            if peer in getting:
                outbox.add(tx, analysis_id, peer, rendition_id, now)
                offered.append(peer)
        return offered


def gather(tx: Transaction, job: ClaimedJob, model: ModelIdentity) -> Material | None:
    """Return what the study's report is made from, or None where nothing of it was to be read."""
    readings = {
        reading.sop_instance_uid: reading
        for reading in findings.of_study(tx, job.study_instance_uid, job.model, model.version)
    }
    unread = findings.unread(tx, job.study_instance_uid, job.model)
    for uid, error in unread.items():
        readings[uid] = not_read(uid, f"Reading failed: {error}")
    held = [h for h in instances.of_study(tx, job.study_instance_uid) if h.header.sop_instance_uid in readings]
    if not held:
        return None
    newest = instances.newest_header(tx, job.study_instance_uid, job.model)
    sources = sorted(held, key=lambda source: source != newest)  # stable: the rest keeps its order
    latest = analyses.latest(tx, job.study_instance_uid, job.model)
    predecessor = analyses.renditions(tx, latest.id)[0].identity if latest else None
    of_sources = tuple(readings[source.header.sop_instance_uid] for source in sources)
    marked = synthetic.is_synthetic(tx, job.study_instance_uid)
    return Material(of_sources, inputs_of(of_sources, unread), tuple(sources), latest, predecessor, marked)


def unchanged(material: Material, model: ModelIdentity) -> bool:
    """Return whether the newest analysis was made by this version from these images of this patient, concluding so."""
    latest = material.latest
    return latest is not None and (
        latest.version,
        latest.inputs_digest,
        latest.patient_key,
        latest.conclusion,
    ) == (
        model.version,
        digest_of(material.inputs),
        patient_key(material.header),
        conclusion_of(material.readings, synthetic=material.synthetic),
    )
