"""A `read` job done: one instance, one model, one row of findings."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from node.domain.finding import Reading
from node.domain.identifiers import SOPInstanceUID
from node.pipeline.catalogue import Catalogue
from node.store import audit, findings, instances, job_claims, registry
from node.store.database import Database, Transaction
from node.store.files import InstanceFiles
from node.store.job_claims import ClaimedJob

ReadFile = Callable[[Path, SOPInstanceUID, Path, Path | None, int], Reading]
"""`node.pipeline.reading.read_file`, run where it can do no harm."""


class InstanceReader:
    """Handles claimed `read` jobs.

    Parameters
    ----------
    database, files
        Where rows and bytes are kept.
    catalogue
        The models and their opened bundles.
    read_file
        Reads a file with a bundle, in a child process.
    clock
        The time now, aware.
    wake
        Called after a reading is stored: the study's report may be due now.
    """

    def __init__(
        self,
        database: Database,
        files: InstanceFiles,
        catalogue: Catalogue,
        read_file: ReadFile,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
    ) -> None:
        self._database, self._files, self._catalogue = database, files, catalogue
        self._read_file, self._clock, self._wake = read_file, clock, wake

    def handle(self, job: ClaimedJob) -> None:
        """Read the instance and settle the job together with what was found."""
        uid = SOPInstanceUID(job.subject_uid)
        path, max_frames = self._database.read(
            lambda tx: (instances.newest_path(tx, uid), registry.max_frames(tx, job.model))
        )
        served = self._catalogue.served(job.model)
        reading = self._read_file(self._files.path(path), uid, served.bundle, served.public_key, max_frames)
        self._database.write(lambda tx: self._settle(tx, job, reading, served.identity.version))
        self._wake()

    def _settle(self, tx: Transaction, job: ClaimedJob, reading: Reading, version: str) -> None:
        now = self._clock()
        if not job_claims.finish(tx, job, now):
            return  # the lease ran out and another worker holds the job: its reading counts, not this one
        findings.put(tx, reading.sop_instance_uid, job.model, version, reading)
        audit.add(
            tx,
            now,
            "instance read",
            study_uid=job.study_instance_uid,
            sop_uid=job.subject_uid,
            model=job.model,
            version=version,
            attempt=job.attempt,
            admitted=reading.admission.admitted,
            reason=reading.admission.sentence,
            scores={finding.name: round(finding.probability, 4) for finding in reading.findings},
            anomaly_z=round(reading.anomaly.z_score, 2) if reading.anomaly else None,
        )
