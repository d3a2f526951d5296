"""A site that learns: radiographs of drawn chests stored, labelled by a reader, and trained from with a tiny recipe."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from node.config import Settings
from node.domain.label import Label, LabelRule, SourceKind
from node.domain.rule import Rule
from node.pipeline.learning.collect import Collected, Collector
from node.pipeline.learning.example_pixels import keep_pixels
from node.pipeline.learning.places import Places
from node.pipeline.learning.retrain import Retrainer, Site
from node.pipeline.registry.catalogue import seeded
from node.runtime.child import Child
from node.runtime.keeping import Keeper
from node.store.arriving.merges import PatientName
from node.store.labelling import labels
from node.store.learning import splits
from tests.support.houses.house import House, radiograph
from tests.support.models.recipes import write_recipe

TINY = """
[classifier]
network = "textbook"
augmentation = "shift"
size = 32
epochs = 1
batch = 16
rate = 3e-3
averaging = 0.5
"""

SALT = "5a" * 32


def chest(number: int, *, ill: bool, size: int = 64) -> NDArray[np.uint8]:
    """Return a picture like no other, with a bright patch in its middle where `ill`; shape (size, size), uint8."""
    field_ = np.random.default_rng(number).normal(size=(12, 12)).astype(np.float32)
    picture = 110.0 + 30.0 * cv2.resize(field_, (size, size), interpolation=cv2.INTER_CUBIC)
    if ill:
        cv2.circle(picture, (size // 2, size // 2), size // 6, 250.0, -1)
    return np.clip(picture, 0, 255).astype(np.uint8)


@dataclass
class LearningSite:
    """A node's database and files, with a reader who labels."""

    house: House
    retrain: dict[str, Any] = field(default_factory=dict)
    gate: dict[str, Any] = field(default_factory=dict)
    said: int = 0

    def __post_init__(self) -> None:
        self.house.rules = {"starter": Rule()}
        recipe = write_recipe(self.house.folder / "tiny.toml", TINY)
        self.retrain = {"recipe": str(recipe)} | self.retrain
        seeded(self.settings, self.house.database, self.house.clock)
        self.house.database.write(lambda tx: splits.mint(tx, SALT, self.house.clock()))

    @property
    def settings(self) -> Settings:
        """The configuration."""
        return self.house.settings(models=[{"name": "starter"}], retrain=self.retrain, gate=self.gate)

    @property
    def places(self) -> Places:
        """Where learning keeps things."""
        return Places(self.house.folder)

    def image(self, number: int, patient: str, pixels: NDArray[np.uint8] | None = None, **changes: Any) -> str:
        """Store an image of a patient in a study of its own and return its SOP Instance UID."""
        uid = f"1.2.826.7.{number}"
        own = {"study_instance_uid": uid, "series_instance_uid": f"{uid}.1", "sop_instance_uid": f"{uid}.1.1"}
        shown = chest(number, ill=False) if pixels is None else pixels
        came = radiograph(shown, patient_id=patient, patient_name=f"Name^{patient}", **own, **changes)
        assert self.house.receive(came) == 0
        return f"{uid}.1.1"

    def label(self, sop_uid: str, *, present: bool, visible: bool | None = False) -> None:
        """Let a reader label an image."""
        self.said += 1
        source, at = f"1.2.826.8.{self.said}", self.house.clock()
        study = sop_uid.removesuffix(".1.1")
        said = Label(
            study, f"{study}.1", sop_uid, "pneumonia", present, "reader", at, source, SourceKind.KEY_OBJECT,
            LabelRule.FINDING_CODE, visible,
        )  # fmt: skip
        self.house.database.write(lambda tx: labels.record(tx, source, [said], PatientName(""), at))

    def patients(self, count: int, first: int = 1) -> list[str]:
        """Store and label an image of each of so many patients, every other one ill; return their UIDs."""
        uids = []
        for number in range(first, first + count):
            ill = number % 2 == 0
            uids.append(self.image(number, f"PAT{number}", chest(number, ill=ill)))
            self.label(uids[-1], present=ill)
        return uids

    def collect(self) -> Collected:
        """Keep what is labelled, in this process."""
        collector = Collector(
            self.house.database, self.house.folder, keep_pixels, self.house.clock, self.settings.retrain.issuer
        )
        return collector.collect(self.house.database.read(labels.current), lambda *_: None)

    def retrainer(self, child: Child | None = None) -> Retrainer:
        """Return what does trainings."""
        site = Site(self.settings, self.house.database, self.house.clock, random.Random(1), Keeper(15.0), "tests")
        return Retrainer(site, lambda: child or Child(300.0, memory_mb=16384))


def sides_of(patients: Sequence[str]) -> dict[str, list[str]]:
    """Return which of some Patient IDs fall on which side by the salt of the tests."""
    salt = bytes.fromhex(SALT)
    found: dict[str, list[str]] = {"train": [], "validation": [], "locked": []}
    for patient in patients:
        found[splits.side_of(salt, splits.patient_of(salt, "", patient)).value].append(patient)
    return found


#: Which of the Patient IDs that `LearningSite.patients` gives fall on which side.
NAMES = sides_of([f"PAT{number}" for number in range(1, 60)])


def files_under(folder: Path) -> list[Path]:
    """Return all files under a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
