"""What the tests of the store ask for, and look at: jobs in the queue, and entries of the audit."""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import text

from node.domain.lifecycle import State
from node.store.database import Database
from node.store.listing import views
from node.store.listing.listings import Listed
from node.store.tables.choices import JobKind
from node.store.working.job_claims import ClaimedJob

READ, COMPOSE = JobKind.READ, JobKind.COMPOSE
LEASE_S = 60.0
MODEL, STUDY, IMAGE = "starter", "1.2.3", "1.2.3.1"

#: A study's row, as it may be written at every revision since the first.
EARLY_STUDY = """
INSERT INTO studies (study_instance_uid, patient_id, issuer_of_patient_id, patient_name, patient_birth_date,
    patient_sex, accession_number, study_date, study_description, first_received_at)
VALUES ('1.2', '', '', '', '', '', '', '', '', '2026-01-02 12:00:00')
"""

Later = Callable[[float], datetime]
Claim = Callable[..., ClaimedJob | None]


def jobs_in(database: Database) -> list[Listed]:
    """Return all jobs, as an operator sees them."""
    return database.read(lambda tx: views.jobs(tx, tuple(State)))


def events_in(database: Database) -> list[str]:
    """Return what the audit says happened, in order."""
    return database.read(lambda tx: list(tx.scalars(text("SELECT event FROM audit ORDER BY id"))))


class UnexpectedError(Exception):
    """What a work may raise that no room knows."""


def events_by_name(database: Database) -> list[str]:
    """Return what the audit says happened, in the order of its words."""
    return database.read(lambda tx: list(tx.scalars(text("SELECT event FROM audit ORDER BY event"))))


def seen_from_outside(file: Path) -> list[str]:
    """Return the same of a SQLite file, as another program sees it."""
    with sqlite3.connect(file) as connection:
        return [event for (event,) in connection.execute("SELECT event FROM audit ORDER BY event")]
