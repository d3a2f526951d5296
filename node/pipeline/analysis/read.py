"""`read` jobs done: some instances at once, and for each model one batch, one transaction, a row of findings for each.

A child process that dies with a batch in hand costs an attempt only to the job that killed it: the members are read
again one by one, each settled by itself, and the one that kills again is found.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from node.dicom.encoding.transfer_syntax import is_raw
from node.domain.errors import Permanent, Transient, WorkerLost, WorkStopped
from node.domain.finding import Reading
from node.domain.identifiers import SOPInstanceUID
from node.pipeline.analysis.read_in_child import Prepared, StoredImage
from node.pipeline.registry.catalogue import Catalogue, ServedModel
from node.pipeline.steps import AnalysisReached, ReadStep, analysis_unobserved
from node.store import audit
from node.store.arriving import instances
from node.store.audit import Entry
from node.store.database import Database, Transaction
from node.store.disk.files import InstanceFiles
from node.store.learning import monitoring_records
from node.store.registering import registry
from node.store.working import findings, job_claims
from node.store.working.findings import NewReading
from node.store.working.job_claims import ClaimedJob

Image = StoredImage | Prepared


@dataclass(frozen=True, slots=True)
class Hands:
    """Who does what may crash, hang or eat memory: functions of `node.pipeline.analysis.read_in_child`, in children."""

    read_images: Callable[[Sequence[Image], Path, Path | None], list[Reading]]
    prepare_file: Callable[[StoredImage, Path, Path | None], Prepared]  #: called from several threads at once
    decoders: int = 1  #: how many
    reached: AnalysisReached = analysis_unobserved  #: called at each step; for tests that end the process there


class InstanceReader:
    """Handles claimed `read` jobs.

    Parameters
    ----------
    database, files
        Where rows and bytes are kept.
    catalogue
        The models and their opened bundles.
    hands
        Who decodes and reads.
    fail
        Settles a job as failed.
    clock
        The time now, aware.
    wake
        Called after readings are stored: a study's report may be due now.
    """

    def __init__(
        self,
        database: Database,
        files: InstanceFiles,
        catalogue: Catalogue,
        hands: Hands,
        fail: Callable[[ClaimedJob, Exception], None],
        clock: Callable[[], datetime],
        wake: Callable[[], None],
    ) -> None:
        self._database, self._files, self._catalogue = database, files, catalogue
        self._hands, self._fail, self._clock, self._wake = hands, fail, clock, wake
        self._decoding = ThreadPoolExecutor(hands.decoders, thread_name_prefix="decoding")

    def handle(self, jobs: Sequence[ClaimedJob]) -> None:
        """Read the instances and settle each job together with what was found.

        Raises
        ------
        Exception
            Where it is not known which job was at fault, or none: whoever calls settles those that are not settled.
        """
        self._hands.reached(ReadStep.CLAIMED)
        by_model = attrgetter("model")
        for model, of_model in groupby(sorted(jobs, key=by_model), key=by_model):
            self._handle(model, list(of_model))
        self._wake()

    def _handle(self, model: str, jobs: Sequence[ClaimedJob]) -> None:
        served = self._catalogue.served(model)
        images = self._images(served, model, jobs)
        whole = [job for job in jobs if job.id in images]
        self._hands.reached(ReadStep.DECODED)
        try:
            readings = self._read(served, [images[job.id] for job in whole])
        except WorkerLost as error:
            self._one_by_one(served, whole, images, error)
        else:
            self._hands.reached(ReadStep.PREDICTED)
            self._settle(served, whole, readings)

    def _one_by_one(
        self, served: ServedModel, jobs: Sequence[ClaimedJob], images: Mapping[int, Image], error: WorkerLost
    ) -> None:
        """Find out of which job the child process died; of one alone it is known."""
        if len(jobs) == 1:
            self._fail(jobs[0], error)
            return
        for job in jobs:
            try:
                self._settle(served, [job], self._read(served, [images[job.id]]))
            except WorkerLost as alone:
                self._fail(job, alone)

    def _read(self, served: ServedModel, images: Sequence[Image]) -> list[Reading]:
        return self._hands.read_images(images, served.bundle, served.public_key) if images else []

    def _images(self, served: ServedModel, model: str, jobs: Sequence[ClaimedJob]) -> dict[int, Image]:
        """Return what is to be read by the number of its job; compressed pixels are decoded, raw ones cost nothing."""
        uids = [job.subject_uid for job in jobs]
        stored, max_frames = self._database.read(
            lambda tx: (instances.files_of(tx, uids), registry.max_frames(tx, model))
        )
        images: dict[int, Image] = {}
        decoding: dict[int, Future[Prepared]] = {}
        for job in jobs:
            path, syntax = stored[job.subject_uid]
            image = StoredImage(self._files.path(path), SOPInstanceUID(job.subject_uid), max_frames)
            if is_raw(syntax):
                images[job.id] = image
            else:
                decode = self._hands.prepare_file
                decoding[job.id] = self._decoding.submit(decode, image, served.bundle, served.public_key)
        return images | self._decoded({job.id: job for job in jobs}, decoding)

    def _decoded(self, jobs: Mapping[int, ClaimedJob], decoding: Mapping[int, Future[Prepared]]) -> dict[int, Prepared]:
        """Wait for the decoders; a job of which one dies has failed, and is left out."""
        images: dict[int, Prepared] = {}
        for number, coming in decoding.items():
            try:
                images[number] = coming.result()
            except WorkStopped:
                raise
            except (Transient, Permanent) as error:
                self._fail(jobs[number], error)
        return images

    def _settle(self, served: ServedModel, jobs: Sequence[ClaimedJob], readings: Sequence[Reading]) -> None:
        if jobs:
            said = list(zip(jobs, readings, strict=True))
            self._database.write(lambda tx: self._keep(tx, said, served.identity.version))
            self._hands.reached(ReadStep.COMMITTED)

    def _keep(self, tx: Transaction, said: Sequence[tuple[ClaimedJob, Reading]], version: str) -> None:
        now = self._clock()
        # where a lease ran out another worker holds the job: its reading counts, not this one
        held = job_claims.finish_all(tx, [job for job, _ in said], now)
        kept = [(job, reading) for job, reading in said if job.id in held]
        findings.put_all(tx, [NewReading(job.model, version, reading) for job, reading in kept])
        for model, of_model in groupby(kept, key=lambda one: one[0].model):
            monitoring_records.put_all(tx, model, version, [reading for _, reading in of_model], now)
        audit.add_all(tx, [_entry(job, reading, version, now) for job, reading in kept])
        self._hands.reached(ReadStep.RECORDED)


def _entry(job: ClaimedJob, reading: Reading, version: str, now: datetime) -> Entry:
    detail = {
        "model": job.model,
        "version": version,
        "attempt": job.attempt,
        "admitted": reading.admission.admitted,
        "reason": reading.admission.sentence,
        "scores": {finding.name: round(finding.probability, 4) for finding in reading.findings},
        "anomaly_z": round(reading.anomaly.z_score, 2) if reading.anomaly else None,
    }
    return Entry(now, "instance read", job.study_instance_uid, job.subject_uid, detail)
