"""What a model said of each exam, for registries such as ACR Assess-AI: pseudonymous, a row for each exam.

An exam, a patient and a sender are told apart by keyed hashes that lead back to nobody without this node's salt. Dates
are brought down to the month; ages above 89 are one.

References
----------
DICOM PS3.15 Annex E (what identifies); 45 CFR 164.514(b)(2) (ages above 89, dates).
"""

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.instance import age_of
from node.domain.split import pseudonym
from node.pipeline.learning.salt import minted
from node.pipeline.monitoring import coded
from node.pipeline.monitoring.model_figures import truth_of_studies
from node.pipeline.opened import open_database
from node.store.arriving import merges
from node.store.arriving.merges import PatientName
from node.store.database import Transaction
from node.store.learning import exams as kept
from node.store.learning.exams import Exam
from node.store.registering import registry
from node.store.registering.registry import Registration

COLUMNS = (
    *("exam", "patient", "month", "model", "version", "modality", "body_part", "view", "sender", "manufacturer"),
    *("age_years", "sex", "images", "outcome", "class", "score", "threshold", "flagged", "label", "agrees"),
    *("minutes_to_result", "minutes_to_delivery"),
)

_OLDEST = 90
_FORMULA = frozenset("=+-@\t\r")


def exams(settings: Settings, model: str, version: str, limit: int | None, now: datetime) -> list[dict[str, Any]]:
    """Return a row for each exam and class of a version of a model, the newest exam first.

    Returns
    -------
    list of dict
        ``exam``, ``patient`` (of merged patients one), ``sender`` (pseudonyms), ``month``, ``model``, ``version``,
        ``modality``, ``body_part``, ``view``, ``manufacturer``, ``sex`` (known words, other, or unknown),
        ``age_years`` (90 stands for all above 89), ``images``, ``outcome``, ``class`` ("" where nothing was assessed),
        ``score`` (null where no one figure stands for the exam), ``threshold``, ``flagged``, ``label`` (what readers
        say; null where they say nothing), ``agrees``, ``minutes_to_result`` (from the first image),
        ``minutes_to_delivery`` (null where nobody got it).

    Raises
    ------
    OperatorError
        Where there is no such model.
    """
    with open_database(settings) as database:
        salt = minted(database, now)
        return database.read(lambda tx: list(_rows(tx, salt, registry.named(tx, model), version, limit)))


def write(rows: list[dict[str, Any]], out: Path) -> None:
    """Write rows as CSV or JSON, by the file's suffix; the file is there as a whole or not at all.

    Raises
    ------
    OperatorError
        Where the suffix is another, or the file cannot be written.
    """
    if out.suffix not in {".csv", ".json"}:
        raise OperatorError(f"{out} is neither .csv nor .json: name the file by what it is to be", exit_code=2)
    half = out.with_name(f".{out.name}.part")
    try:
        half.write_text(_csv(rows) if out.suffix == ".csv" else json.dumps(rows, indent=1), encoding="utf-8")
        half.replace(out)
    except OSError as error:
        raise OperatorError(f"{out} cannot be written: {error.strerror}") from error


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _no_formula(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _no_formula(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula: a text that begins like one gets an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULA else value


def _rows(
    tx: Transaction, salt: bytes, model: Registration, version: str, limit: int | None
) -> Iterator[dict[str, Any]]:
    truth, survivors = truth_of_studies(tx), merges.survivors(tx)
    for exam in kept.exams(tx, model.name, version or model.version, limit):
        named = PatientName(exam.header.patient_id, exam.header.issuer_of_patient_id)
        row = _of_exam(exam, salt, survivors.get(named, named)) | {
            "model": model.name,
            "version": version or model.version,
        }
        said = truth.get(exam.study_instance_uid, {})
        for finding in exam.findings or ({},):
            yield {column: (row | _of_finding(finding, said))[column] for column in COLUMNS}


def _of_exam(exam: Exam, salt: bytes, patient: PatientName) -> dict[str, Any]:
    header, age = exam.header, age_of(exam.header)
    return {
        "exam": pseudonym(salt, "exported exam", exam.study_instance_uid)[:16],
        "patient": pseudonym(salt, "exported patient", patient.issuer, patient.patient_id)[:16],
        "sender": pseudonym(salt, "exported sender", exam.sender)[:16],
        "month": f"{exam.received_at:%Y-%m}",
        "modality": coded.modality(header.modality),
        "body_part": coded.body_part(header.body_part_examined),
        "view": coded.view(header.view_position),
        "manufacturer": coded.maker(header.manufacturer),
        "age_years": None if age is None else min(int(age), _OLDEST),
        "sex": coded.sex(header.patient_sex),
        "images": exam.images,
        "outcome": exam.outcome.value,
        "minutes_to_result": _minutes(exam.received_at, exam.created_at),
        "minutes_to_delivery": None if exam.sent_at is None else _minutes(exam.received_at, exam.sent_at),
    }


def _of_finding(finding: dict[str, Any], said: dict[str, bool]) -> dict[str, Any]:
    name = finding.get("name", "")
    flagged, label = finding.get("present"), said.get(name)
    score, threshold = finding.get("score"), finding.get("threshold")
    return {
        "class": name,
        "score": None if score is None else round(score, 4),
        "threshold": None if threshold is None else round(threshold, 4),
        "flagged": flagged,
        "label": label,
        "agrees": None if label is None or flagged is None else label == flagged,
    }


def _minutes(start: datetime, end: datetime) -> float:
    return round((end - start).total_seconds() / 60, 2)
