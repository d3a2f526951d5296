"""A `compose` job done: a study's readings become one conclusion, one report and its deliveries, in one transaction."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from node.config import PeerSettings
from node.domain.identifiers import SOPInstanceUID
from node.domain.profile import PROFILES
from node.domain.report import ModelIdentity
from node.pipeline.analysis.before import Before, predecessors, standing
from node.pipeline.analysis.completion_signals import Closer
from node.pipeline.analysis.conclude import digest_of, patient_key
from node.pipeline.analysis.material import Material, changes, gather
from node.pipeline.analysis.offering import audience, offer
from node.pipeline.analysis.outlived import take_back
from node.pipeline.analysis.renditions import Shape
from node.pipeline.analysis.result_writer import Result, Writer, Written
from node.pipeline.registry.catalogue import Catalogue
from node.pipeline.steps import ComposeStep
from node.store import audit
from node.store.database import Database, Transaction
from node.store.sending import outbox
from node.store.stopping import rejection_notes
from node.store.tables.choices import DeliveryKind
from node.store.working import analyses, closing, findings, job_claims, queue, turned_away
from node.store.working.analyses import NewAnalysis
from node.store.working.job_claims import ClaimedJob
from node.store.working.queue import NewRead
from node.telemetry import logger

_log = logger("pipeline.compose")

T = TypeVar("T")


class Composer:
    """Handles claimed `compose` jobs.

    Parameters
    ----------
    database
        Where rows are kept.
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
    writer
        Writes what is composed.
    """

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        peers: Sequence[PeerSettings],
        closer: Closer,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
        *,
        writer: Writer,
    ) -> None:
        self._database, self._catalogue, self._peers = database, catalogue, peers
        self._closer, self._clock, self._wake, self._writer = closer, clock, wake, writer

    def handle(self, job: ClaimedJob) -> None:
        """Compose the study's report and settle the job together with it; unchanged input makes nothing new."""
        self._writer.reached(ComposeStep.CLAIMED)
        model = self._catalogue.served(job.model).identity
        outdated = self._database.read(
            lambda tx: findings.outdated(tx, job.study_instance_uid, job.model, model.version)
        )
        material = None if outdated else self._database.read(lambda tx: gather(tx, job.study_instance_uid, model))
        if material is None:
            self._write(job, lambda tx: self._put_off(tx, job, outdated, ()))
        else:
            self._conclude(job, model, material)
        self._writer.reached(ComposeStep.COMMITTED)
        self._wake()

    def _conclude(self, job: ClaimedJob, model: ModelIdentity, material: Material) -> None:
        self._writer.reached(ComposeStep.GATHERED)
        reason = material.turned_away if material.readings else None
        if reason is not None:
            self._write(job, lambda tx: self._turn_away(tx, job, reason, material.unread))
        elif material.is_too_little or not (because := changes(material, model)):
            self._write(job, lambda tx: self._put_off(tx, job, (), material.unread))
        else:
            before = self._database.read(lambda tx: self._before(tx, job, material))
            result = Result(self._analysis(job, model, material), model, material, before, because)
            names = self._database.read(lambda tx: audience(tx, self._peers, result.analysis))
            getting = [peer for peer in self._peers if peer.name in names]
            written = self._writer.written(result, self._peers, getting)
            self._writer.reached(ComposeStep.WRITTEN)
            if self._write(job, lambda tx: self._settle(tx, job, result, written)):
                outcome = result.analysis.outcome
                _log.info(
                    "report composed", study_instance_uid=job.study_instance_uid, model=job.model, outcome=outcome
                )

    def _before(self, tx: Transaction, job: ClaimedJob, material: Material) -> Before:
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
            analyses.want_anew(tx, job.study_instance_uid, [job.model], "")
            self._closer.close(tx, job, unread, now)

    def _turn_away(self, tx: Transaction, job: ClaimedJob, reason: str, unread: Sequence[str]) -> None:
        """Settle without a report, because the rule wants another number of images; what waits no longer leaves."""
        now = self._clock()
        if not job_claims.finish(tx, job, now):
            return
        self._closer.close(tx, job, unread, now)
        study, model = job.study_instance_uid, job.model
        analyses.want_anew(tx, study, [model], "")
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

    def _settle(self, tx: Transaction, job: ClaimedJob, result: Result, written: Written) -> bool:
        """Keep the report and settle the job; return False where there is nothing to keep."""
        now, material = self._clock(), result.material
        if not job_claims.finish(tx, job, now):
            return False  # another worker holds the job since this one's lease ran out: its report counts
        sources = {source.header.sop_instance_uid for source in material.sources}
        wrong = sources & rejection_notes.wrong_of(tx, job.study_instance_uid)
        if wrong or result.before != self._before(tx, job, material):
            # whoever rejected it may have looked before this job was begun, and so not have put it back; and where
            # an earlier report has left meanwhile, this one is to name it
            queue.schedule_composes(tx, {(job.study_instance_uid, job.model): now})
            return False
        self._closer.close(tx, job, material.unread, now)
        turned_away.clear(tx, job.study_instance_uid, job.model)
        sent_to = self._keep(tx, result, written, now)
        take_back(tx, result.analysis, written.notes, sent_to, now)
        self._writer.reached(ComposeStep.RECORDED)
        return True

    def _keep(self, tx: Transaction, result: Result, written: Written, now: datetime) -> Sequence[str]:
        analysis_id = analyses.add(tx, result.analysis)
        forms = defaultdict[Shape, list[int]](list)
        for one in written.made:
            number = analyses.add_rendition(tx, analysis_id, one)
            if one.kind is DeliveryKind.REPORT:
                forms[Shape(PROFILES[one.profile], one.language)].append(number)
        sent_to = offer(tx, self._peers, result.analysis, analysis_id, forms, now)
        _note(tx, result, written, sent_to, now)
        return sent_to


def _note(tx: Transaction, result: Result, written: Written, sent_to: Sequence[str], now: datetime) -> None:
    analysis, study = result.analysis, result.analysis.study_instance_uid
    scores = {one.name: round(one.score, 4) for one in analysis.findings if one.score is not None}
    audit.add(
        tx,
        now,
        "report composed",
        study_uid=study,
        sop_uid=written.made[0].sop_instance_uid,
        model=analysis.model,
        version=analysis.version,
        outcome=analysis.outcome,
        because=result.because,
        scores=scores,
        inputs=analysis.inputs_digest[:16],
        not_read_yet=len(result.material.unread),
        destinations=sent_to,
    )
    for one in written.not_made:
        audit.add(tx, now, f"{one.kind} not made", study, model=analysis.model, reason=one.reason)
        _log.warning("nothing made beside a report", study_instance_uid=study, kind=one.kind, reason=one.reason)
