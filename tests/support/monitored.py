"""Rows of studies that a model has read, as monitoring looks at them; no file lies behind them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from node.domain.finding import Admission, Finding, Fingerprint, Outcome, Reading, StudyFinding
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.instance import InstanceHeader
from node.store.arriving import arrivals
from node.store.arriving.instances import NewInstance
from node.store.database import Transaction
from node.store.learning import monitoring
from node.store.registering.registry import Registration
from node.store.working import analyses, findings
from node.store.working.analyses import NewAnalysis
from node.store.working.findings import NewReading
from tests.support.line import LUNG, PNEUMONIA

_NUMBERS = 6


@dataclass
class Rows:
    """Studies of one image each, numbered as they come.

    Parameters
    ----------
    model
        Reads them.
    began
        When the first one comes; each further one comes a minute later.
    """

    model: Registration
    began: datetime
    count: int = 0

    def add(
        self,
        tx: Transaction,
        count: int,
        *,
        shift: float = 0.0,
        sender: str = "MODALITY",
        score: float = 0.1,
        admitted: bool = True,
        age: str = "004Y",
        view: str = "PA",
    ) -> list[str]:
        """Store studies and what the model said and saw of them; return their UIDs."""
        random = np.random.default_rng(self.count + 1)
        return [self._one(tx, random, shift, sender, score if admitted else None, age, view) for _ in range(count)]

    def _one(
        self,
        tx: Transaction,
        random: np.random.Generator,
        shift: float,
        sender: str,
        score: float | None,
        age: str,
        view: str,
    ) -> str:
        self.count += 1
        study, at = f"1.2.{self.count}", self.began + timedelta(minutes=self.count)
        header = InstanceHeader(
            "1.2.840.10008.5.1.4.1.1.1.1", SOPInstanceUID(f"{study}.9"), StudyInstanceUID(study),
            SeriesInstanceUID(f"{study}.8"), "1.2.840.10008.1.2.1", patient_id=f"P{self.count}",
            patient_name="Doe^Jane", patient_age=age, patient_sex="F", modality="DX", has_pixels=True,
            view_position=view,
        )  # fmt: skip
        arrivals.add_all(tx, [NewInstance(header, f"instances/{study}.dcm", 1, sender, "PACSNODE", "127.0.0.1", at)])
        seen = random.normal(shift, 1.0, _NUMBERS).astype("<f2").tobytes()
        reading = _reading(header.sop_instance_uid, score, seen)
        findings.put_all(tx, [NewReading(self.model.name, self.model.version, reading)])
        monitoring.put_all(tx, self.model.name, self.model.version, [reading], at)
        analyses.add(tx, _analysis(self.model, study, score, at + timedelta(minutes=2)))
        return study


def _reading(uid: SOPInstanceUID, score: float | None, seen: bytes) -> Reading:
    if score is None:
        return Reading(uid, Admission(False, sentence="Not like those it knows."), fingerprint=Fingerprint(b"", seen))
    finding = Finding("pneumonia", PNEUMONIA, LUNG, score, 0.5)
    return Reading(uid, Admission(True), (finding,), fingerprint=Fingerprint(seen, seen))


def _analysis(model: Registration, study: str, score: float | None, at: datetime) -> NewAnalysis:
    if score is None:
        return NewAnalysis(StudyInstanceUID(study), model.name, model.version, Outcome.NOT_ASSESSED, "d", "c", "k", at)
    outcome = Outcome.POSITIVE if score >= 0.5 else Outcome.NEGATIVE
    found = StudyFinding("pneumonia", PNEUMONIA, "any", None, 0.5, score >= 0.5, 1, int(score >= 0.5))
    said = (StudyInstanceUID(study), model.name, model.version, outcome, "d", "c", "k", at)
    return NewAnalysis(*said, findings=(found,))
