"""Rows of studies that a model has read, as monitoring looks at them; no file lies behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from node.config.settings import GoLiveSettings
from node.domain.finding import Admission, Finding, Fingerprint, Outcome, Reading, StudyFinding
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.instance import InstanceHeader
from node.domain.label import Label, LabelRule, SourceKind
from node.pipeline.monitoring.watch import Watch
from node.pipeline.monitoring.windows import compare
from node.pipeline.registry import modes
from node.store.arriving import arrivals
from node.store.arriving.instances import NewInstance
from node.store.arriving.merges import PatientName
from node.store.database import Transaction
from node.store.labelling import labels
from node.store.learning import monitoring_records
from node.store.registering import registry
from node.store.registering.registry import Registration
from node.store.tables.choices import Mode
from node.store.working import analyses, findings
from node.store.working.analyses import NewAnalysis
from node.store.working.findings import NewReading
from tests.support.houses.house import House
from tests.support.houses.line import LUNG, PNEUMONIA, Line

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
        synthetic: bool = False,
    ) -> list[str]:
        """Store studies and what the model said and saw of them; return their UIDs."""
        random = np.random.default_rng(self.count + 1)
        said = {"patient_age": age, "view_position": view, "synthetic": synthetic}
        return [self._one(tx, random, shift, sender, score if admitted else None, said) for _ in range(count)]

    def _one(
        self,
        tx: Transaction,
        random: np.random.Generator,
        shift: float,
        sender: str,
        score: float | None,
        said: dict[str, Any],
    ) -> str:
        self.count += 1
        study, at = f"1.2.{self.count}", self.began + timedelta(minutes=self.count)
        header = InstanceHeader(
            "1.2.840.10008.5.1.4.1.1.1.1", SOPInstanceUID(f"{study}.9"), StudyInstanceUID(study),
            SeriesInstanceUID(f"{study}.8"), "1.2.840.10008.1.2.1", patient_id=f"P{self.count}",
            patient_name="Doe^Jane", patient_sex="F", modality="DX", has_pixels=True, **said,
        )  # fmt: skip
        arrivals.add_all(tx, [NewInstance(header, f"instances/{study}.dcm", 1, sender, "PACSNODE", "127.0.0.1", at)])
        seen = random.normal(shift, 1.0, _NUMBERS).astype("<f2").tobytes()
        reading = _reading(header.sop_instance_uid, score, seen)
        findings.put_all(tx, [NewReading(self.model.name, self.model.version, reading)])
        monitoring_records.put_all(tx, self.model.name, self.model.version, [reading], at)
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


NOW = datetime(2026, 5, 1, tzinfo=UTC)
_MONITOR = {"reference_images": 60, "window_images": 20, "min_images": 10, "silence_hours": 100.0}


class AtSite:
    """A site of one active model, watched by hand."""

    def __init__(self, house: House, **monitor: Any) -> None:
        self.house, self.now = house, NOW
        Line(house, mode=Mode.ACTIVE)
        tables = {"go_live": monitor.pop("go_live", {}), "monitor": _MONITOR | monitor}
        self.settings = house.settings(models=[{"name": "starter"}], **tables)
        self.rows = Rows(self.model, NOW)
        self.watch = self.started()

    def started(self) -> Watch:
        """Return what watches in a node that has just started."""
        return Watch(self.house.database, self.settings.monitor, lambda: self.now, compare)

    @property
    def model(self) -> Registration:
        """The model's row by now."""
        found = self.house.database.read(lambda tx: registry.get(tx, "starter"))
        assert found is not None
        return found

    def add(self, count: int, **what: Any) -> list[str]:
        """Store studies that the model has read; return their UIDs."""
        added = self.house.database.write(lambda tx: self.rows.add(tx, count, **what))
        self.now = max(self.now, NOW + timedelta(minutes=self.rows.count))
        return added

    def activate(self) -> None:
        """Do what an operator does who trusts the model all the same."""
        trusting = self.settings.model_copy(update={"go_live": GoLiveSettings(require_validation=False)})
        modes.set_mode(trusting, "starter", "active", self.now)

    def label(self, studies: Sequence[str], *, present: bool) -> None:
        """Let a reader label the image of each study, blind."""
        for study in studies:
            source = f"2.25.{study.replace('.', '')}{int(present)}"
            of_image = study, f"{study}.8", f"{study}.9"
            said = Label(*of_image, "pneumonia", present, "Dr. Doe", NOW, source, SourceKind.CSV, LabelRule.ROW, False)
            self.house.database.write(lambda tx, s=source, one=said: labels.record(tx, s, [one], PatientName(""), NOW))

    def alarms(self) -> list[tuple[str, str]]:
        """Return kind and sender of what stands."""
        stand = self.house.database.read(monitoring_records.open_alarms)
        return sorted((alarm.kind.value, alarm.sender) for alarm in stand)
