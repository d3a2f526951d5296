"""The bundle that ships keeps what its manifest promises, and the card is about that bundle."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import STARTER
from models.bundle.folder import open_bundle
from models.data.dataset import open_data
from models.data.zips import decode
from models.evaluation.measures import evaluate
from models.evaluation.strangers import FOLDER
from models.inference.reader import Reader, load
from tests.support.models.evaluations import read_log

DOCS = Path(__file__).parents[3] / "docs"
CARD = DOCS / "model-card.md"


@pytest.fixture(scope="session")
def starter() -> Reader:
    """Return a reader of the shipped bundle."""
    return load(STARTER)


@pytest.fixture(scope="session")
def measured(public_data: Path) -> dict[str, Any]:
    """Return what the shipped bundle reaches on the public test split; it is compared, and nothing is chosen by it."""
    return evaluate(STARTER, open_data(public_data / "chest_kermany"), strangers=public_data / FOLDER).measures


def test_the_shipped_bundle_is_whole_and_small() -> None:
    """All files together stay under twelve megabytes, and the manifest vouches for each."""
    manifest = open_bundle(STARTER).manifest
    present = {path.name for path in STARTER.iterdir()}
    assert present - {"manifest.sig"} == {*manifest.files, "manifest.json"}
    assert sum(path.stat().st_size for path in STARTER.iterdir()) < 12_000_000
    assert manifest.data is not None
    assert "CC BY 4.0" in manifest.data.licence
    assert "Kermany" in (STARTER / "ATTRIBUTION.txt").read_text(encoding="utf-8")


def test_the_card_is_about_the_bundle_that_ships() -> None:
    """Manifest, weights, code, Device UID and training data are this bundle's, and so is every figure's."""
    manifest, text = open_bundle(STARTER).manifest, CARD.read_text(encoding="utf-8")
    assert manifest.data is not None
    for known in (
        manifest.manifest_digest,
        manifest.weights_digest,
        manifest.device_uid,
        manifest.code_digest,
        manifest.data.digest,
    ):
        assert f"`{known}`" in text
    pictures = re.findall(r'src="([^"]+)"', text)
    assert pictures
    for picture in pictures:
        assert f"bundle {manifest.manifest_digest}, data {measured_on(text)}" in (DOCS / picture).read_text("utf-8")


def test_the_first_seeds_ship_and_all_of_them_are_measured() -> None:
    """Their mean on the public test split is at least 0.975."""
    manifest = open_bundle(STARTER).manifest
    seeds = manifest.measures["seeds"]
    assert [row["member"] for row in seeds] == [True] * 3 + [False] * 2
    assert [row["seed"] for row in seeds] == list(range(manifest.seed, manifest.seed + 5))
    assert np.mean([row["test"] for row in seeds]) >= 0.975


def test_the_training_of_what_ships_takes_at_most_half_an_hour_of_two_cores() -> None:
    """By processor time, as the training measured it; the card shows it."""
    spent = json.loads((STARTER / "training.json").read_text(encoding="utf-8"))
    minutes = sum(stage["cpu"] for stage in spent["ships"].values()) / 60
    assert minutes <= 2 * 30
    assert re.search(rf"\| \*\*all that ships\*\* \| yes \| [\d.]+ \| {minutes:.1f} \|", CARD.read_text("utf-8"))


def test_the_cards_look_at_the_test_split_is_in_the_log() -> None:
    """With the figures that stand on the card."""
    text, digest = CARD.read_text(encoding="utf-8"), open_bundle(STARTER).manifest.manifest_digest
    uses = [use for use in read_log(DOCS / "evaluations.csv") if use.manifest_digest == digest]
    looked = [use for use in uses if use.data_digest == measured_on(text)]
    assert looked
    assert all(use.reason for use in looked)
    assert f"| **AUC** | **{float(looked[-1].auc):.3f}** |" in text


def measured_on(text: str) -> str:
    """Return the digest of the data that the card says it was measured on."""
    found = re.search(r"\| data measured on, chest_kermany test \| `(\w{64})` \|", text)
    assert found is not None
    return found[1]


def test_what_is_no_chest_radiograph_is_turned_away(starter: Reader) -> None:
    """Noise, an empty exposure, a gradient and a disc, at several sizes and in several units."""
    row, column = np.mgrid[0:300, 0:240].astype(np.float32)
    strangers = [
        np.random.default_rng(0).normal(0, 1, (512, 400)),
        np.zeros((100, 100)),
        row * 4 - 1000,
        ((row - 150) ** 2 + (column - 120) ** 2 < 100**2) * 1000.0 - 1000,
    ]
    assert not any(starter.read(values).admitted for values in strangers)


@pytest.mark.data
def test_the_card_is_about_the_public_test_split(public_data: Path) -> None:
    """The data measured on and the data trained on are those beside the checkout."""
    data, trained = open_data(public_data / "chest_kermany"), open_bundle(STARTER).manifest.data
    assert measured_on(CARD.read_text(encoding="utf-8")) == data.digest(["test"])
    assert trained is not None
    assert trained.digest == data.digest(["train", "val"])


@pytest.mark.data
def test_the_shipped_bundle_reaches_what_its_card_says_on_the_public_test_split(measured: dict[str, Any]) -> None:
    """An AUC of 0.97, better than the textbook network and the shortcut; anomaly 0.84."""
    assert measured["auc"] >= 0.97
    assert measured["auc"] > measured["baseline_auc"]
    assert measured["auc"] > measured["sharpness_auc"] + 0.1
    assert measured["anomaly_auc"] >= 0.84


@pytest.mark.data
def test_the_shipped_operating_point_reaches_its_floor_on_the_public_test_split(measured: dict[str, Any]) -> None:
    """A balanced accuracy of 0.88."""
    assert measured["balanced_accuracy"] >= 0.88


@pytest.mark.data
def test_the_shipped_probabilities_can_be_refitted_on_a_hundred_patients(measured: dict[str, Any]) -> None:
    """To a calibration error of at most 0.06 on the others."""
    assert measured["refitted"]["ece"] <= 0.06
    assert measured["refitted"]["draws"] == 50


@pytest.mark.data
def test_the_maps_of_the_shipped_bundle_are_no_decoration(measured: dict[str, Any]) -> None:
    """Taking the outlined region out costs more than a random one, beyond chance."""
    for name in ("pneumonia", "anomaly"):
        assert measured["maps"][name]["over_random_interval"][0] > 0, name


@pytest.mark.data
def test_the_shipped_operating_point_measures_as_the_manifest_says(measured: dict[str, Any]) -> None:
    """Sensitivity and specificity are those of the stored threshold."""
    recorded = open_bundle(STARTER).manifest.measures["test"]
    for key in ("auc", "sensitivity", "specificity", "threshold", "anomaly_auc", "admitted"):
        assert measured[key] == pytest.approx(recorded[key], abs=0.004), key


@pytest.mark.data
def test_chests_are_admitted_and_other_body_parts_are_not(measured: dict[str, Any]) -> None:
    """At least 98 % of the shifted test chests, and none of a thousand other images to speak of."""
    assert measured["admitted"] >= 0.98
    assert measured["strangers"]["admitted_chests"] >= 0.98
    assert measured["strangers"]["auc"] >= 0.995
    assert measured["strangers"]["admitted_strangers"] <= 0.005


@pytest.mark.data
def test_a_public_chest_is_read_one_by_one_as_in_the_evaluation(starter: Reader, public_data: Path) -> None:
    """Serving reads a single file and gives a probability."""
    with zipfile.ZipFile(public_data / "chest_kermany" / "test.zip") as archive:
        pixels = decode(archive.read(archive.namelist()[0]))
    assert pixels is not None
    prediction = starter.read(pixels)
    assert prediction.admitted
    assert 0 < prediction.probabilities["pneumonia"] < 1
