"""A `compose` job done: a study's readings become one conclusion, one report and its deliveries, in one transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from node.config import PeerSettings
from node.dicom.encoding import IMPLICIT_VR_LITTLE_ENDIAN
from node.domain.identifiers import SOPInstanceUID
from node.domain.instance import InstanceHeader
from node.domain.report import ModelIdentity, ReportContent, ReportIdentity, report_identity
from node.pipeline.analysis.before import predecessors, standing
from node.pipeline.analysis.completion import Closer
from node.pipeline.analysis.conclude import destinations, digest_of, patient_key, says_the_same
from node.pipeline.analysis.material import Material, changes, gather
from node.pipeline.registry.catalogue import Catalogue
from node.store import (
    analyses,
    audit,
    backfills,
    closing,
    findings,
    holds,
    job_claims,
    outbox,
    outgoing,
    queue,
    recalls,
    registry,
    rejections,
    studies,
    synthetic,
    turned_away,
)
from node.store.analyses import NewAnalysis, NewRendition
from node.store.database import Database, Transaction
from node.store.files import InstanceFiles
from node.store.job_claims import ClaimedJob
from node.store.queue import NewRead
from node.store.tables import Origin
from node.telemetry import logger

_log = logger("pipeline.compose")

T = TypeVar("T")

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"


WriteReport = Callable[[ReportContent, ReportIdentity, Sequence[Path | InstanceHeader]], bytes]
"""`write_report`, or the same in a child process."""


def write_report(content: ReportContent, identity: ReportIdentity, sources: Sequence[Path | InstanceHeader]) -> bytes:
    """Return a report as `node.dicom.report.build_report` does, which is imported by the first one."""
    from node.dicom.report import build_report  # noqa: PLC0415 - a process that only receives never pays for it

    return build_report(content, identity, sources)


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
    closer
        Closes the studies that are composed.
    clock
        The time now, aware.
    wake
        Called after deliveries were written.
    write_report
        As the function of this module, run where it holds up nobody: a report of thousands of images takes seconds.
    """

    def __init__(  # noqa: PLR0913 - what composing is joined from
        self,
        database: Database,
        files: InstanceFiles,
        catalogue: Catalogue,
        peers: Sequence[PeerSettings],
        closer: Closer,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
        *,
        write_report: WriteReport,
    ) -> None:
        self._database, self._files, self._catalogue, self._peers = database, files, catalogue, peers
        self._closer, self._clock, self._wake = closer, clock, wake
        self._write_report = write_report

    def handle(self, job: ClaimedJob) -> None:
        """Compose the study's report and settle the job together with it; unchanged input makes nothing new."""
        model = self._catalogue.served(job.model).identity
        outdated = self._database.read(
            lambda tx: findings.outdated(tx, job.study_instance_uid, job.model, model.version)
        )
        material = None if outdated else self._database.read(lambda tx: gather(tx, job.study_instance_uid, model))
        if material is None:
            self._write(job, lambda tx: self._put_off(tx, job, outdated, ()))
        else:
            self._conclude(job, model, material)
        self._wake()

    def _conclude(self, job: ClaimedJob, model: ModelIdentity, material: Material) -> None:
        reason = material.turned_away if material.readings else None
        if reason is not None:
            self._write(job, lambda tx: self._turn_away(tx, job, reason, material.unread))
        elif material.is_too_little or not (because := changes(material, model)):
            self._write(job, lambda tx: self._put_off(tx, job, (), material.unread))
        else:
            before = self._database.read(lambda tx: self._before(tx, job, material))
            analysis = self._analysis(job, model, material)
            rendition = self._rendition(analysis, model, material, before)
            if self._write(job, lambda tx: self._settle(tx, job, material, before, analysis, rendition, because)):
                said = {"study_instance_uid": job.study_instance_uid, "model": job.model, "outcome": analysis.outcome}
                _log.info("report composed", **said)

    def _before(self, tx: Transaction, job: ClaimedJob, material: Material) -> tuple[ReportIdentity, ...]:
        return predecessors(tx, self._peers, job.study_instance_uid, job.model, material)

    def _write(self, job: ClaimedJob, settle: Callable[[Transaction], T]) -> T:
        def settled(tx: Transaction) -> T:
            closing.lock(tx, job.study_instance_uid)  # before its job, as for an image that comes: no circle of waits
            return settle(tx)

        return self._database.write(settled)

    def _put_off(
        self, tx: Transaction, job: ClaimedJob, outdated: Sequence[SOPInstanceUID], unread: Sequence[str]
    ) -> None:
        """Settle without a report; images that another version read are read again first, and then it is due."""
        now = self._clock()
        reads = [NewRead(uid, job.study_instance_uid, job.model) for uid in outdated]
        queue.enqueue_reads(tx, reads, now, again=True)
        turned_away.clear(tx, job.study_instance_uid, job.model)
        if outdated:
            queue.schedule_composes(tx, {(job.study_instance_uid, job.model): now})
        if job_claims.finish(tx, job, now) and not outdated:
            self._closer.close(tx, job, unread, now)

    def _turn_away(self, tx: Transaction, job: ClaimedJob, reason: str, unread: Sequence[str]) -> None:
        """Settle without a report, because the rule wants another number of images; what waits no longer leaves."""
        now = self._clock()
        if not job_claims.finish(tx, job, now):
            return
        self._closer.close(tx, job, unread, now)
        study, model = job.study_instance_uid, job.model
        for peer in self._peers:
            outbox.cancel_waiting(tx, study, model, peer.name, now, "the study is turned away for its number of images")
        at = standing(tx, self._peers, study, model)
        said = f"{reason}; an earlier report of it stands at {', '.join(at)}" if at else reason
        if turned_away.put(tx, study, model, said, now):
            audit.add(tx, now, "study turned away", study, model=model, reason=said, standing=at)

    def _analysis(self, job: ClaimedJob, model: ModelIdentity, material: Material) -> NewAnalysis:
        return NewAnalysis(
            study_instance_uid=job.study_instance_uid,
            model=model.name,
            version=model.version,
            outcome=material.outcome,
            inputs_digest=digest_of(material.inputs),
            conclusion=material.conclusion,
            patient_key=patient_key(material.header),
            created_at=self._clock(),
            predecessor_id=material.latest.id if material.latest else None,
            findings=material.findings,
        )

    def _rendition(
        self, analysis: NewAnalysis, model: ModelIdentity, material: Material, before: tuple[ReportIdentity, ...]
    ) -> NewRendition:
        identity = report_identity(
            analysis.study_instance_uid,
            model,
            material.inputs,
            COMPREHENSIVE_3D_SR,
            patient_key=analysis.patient_key,
            predecessor=material.previous,
        )
        content = ReportContent(
            analysis.study_instance_uid,
            model,
            analysis.outcome,
            material.readings,
            analysis.created_at.astimezone(),  # in the site's zone: the study's own times are local
            before,
            material.synthetic,
            analysis.findings,
            material.patient,
            len(material.unread),
        )
        first, *others = material.sources
        # all that a report says of the others stands in their rows: a series of thousands is not opened again
        file = first.header if first.removed_at else self._files.path(first.newest_path)
        sources = [file, *(source.header for source in others)]
        return NewRendition(
            identity.sop_class_uid,
            identity.sop_instance_uid,
            identity.series_instance_uid,
            IMPLICIT_VR_LITTLE_ENDIAN,
            self._write_report(content, identity, sources),
        )

    def _settle(
        self,
        tx: Transaction,
        job: ClaimedJob,
        material: Material,
        before: tuple[ReportIdentity, ...],
        analysis: NewAnalysis,
        rendition: NewRendition,
        because: Sequence[str],
    ) -> bool:
        """Keep the report and settle the job; return False where there is nothing to keep."""
        now = self._clock()
        if not job_claims.finish(tx, job, now):
            return False  # another worker holds the job since this one's lease ran out: its report counts
        sources = {source.header.sop_instance_uid for source in material.sources}
        wrong = sources & rejections.wrong_of(tx, job.study_instance_uid)
        if wrong or before != self._before(tx, job, material):
            # whoever rejected it may have looked before this job was begun, and so not have put it back; and where
            # an earlier report has left meanwhile, this one is to name it
            queue.schedule_composes(tx, {(job.study_instance_uid, job.model): now})
            return False
        self._closer.close(tx, job, material.unread, now)
        turned_away.clear(tx, job.study_instance_uid, job.model)
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
            because=because,
            scores={
                finding.name: round(finding.score, 4) for finding in analysis.findings if finding.score is not None
            },
            inputs=analysis.inputs_digest[:16],
            not_read_yet=len(material.unread),
            destinations=sent_to,
        )
        return True

    def _offer(
        self, tx: Transaction, analysis: NewAnalysis, analysis_id: int, rendition_id: int, now: datetime
    ) -> list[str]:
        """Write a delivery to each peer for which this report is news, and take back what it makes untrue."""
        registration = registry.get(tx, analysis.model)
        mode = registration.mode if registration else "off"
        marked = synthetic.is_synthetic(tx, analysis.study_instance_uid)
        leaves = _leaves(tx, analysis.study_instance_uid) and not recalls.why(tx, analysis.model, analysis.version)
        getting = destinations(self._peers, mode, analysis.outcome, synthetic=marked) if leaves else []
        offered = []
        for peer in (peer.name for peer in self._peers if peer.gets):
            told = outgoing.told(tx, analysis.study_instance_uid, analysis.model, peer)
            if told is not None and says_the_same(told, analysis):
                continue
            outbox.cancel_waiting(tx, analysis.study_instance_uid, analysis.model, peer, now)
            if peer in getting:
                outbox.add(tx, analysis_id, peer, rendition_id, now)
                offered.append(peer)
        if offered and (hold := holds.holding(tx, analysis.model)) is not None:
            said = {"model": analysis.model, "by": hold.held_by, "reason": hold.reason}
            audit.add(tx, now, "delivery held back", analysis.study_instance_uid, peers=offered, **said)
        return offered


def _leaves(tx: Transaction, study_uid: str) -> bool:
    """Return whether results of a study may leave: those of one that was fetched only where its backfill says so."""
    return studies.origin(tx, study_uid) is not Origin.BACKFILL or backfills.sends(tx, study_uid)
