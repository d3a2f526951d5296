"""The bundle that ships keeps what its manifest promises."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import STARTER
from models.bundle.folder import open_bundle
from models.data.dataset import decode
from models.evaluation.measures import evaluate
from models.inference.reader import Reader, load


@pytest.fixture(scope="session")
def starter() -> Reader:
    """Return a reader of the shipped bundle."""
    return load(STARTER)


@pytest.fixture(scope="session")
def measured(public_data: Path) -> dict[str, Any]:
    """Return what the shipped bundle reaches on the public test split."""
    return evaluate(STARTER, public_data / "chest_kermany")


def test_the_shipped_bundle_is_whole_and_small() -> None:
    """All files together stay under five megabytes, and the manifest vouches for each."""
    manifest = open_bundle(STARTER).manifest
    present = {path.name for path in STARTER.iterdir()}
    assert present == {*manifest.files, "manifest.json"}
    assert sum(path.stat().st_size for path in STARTER.iterdir()) < 5_000_000
    assert "CC BY 4.0" in manifest.data.licence
    assert "Kermany" in (STARTER / "ATTRIBUTION.txt").read_text(encoding="utf-8")


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
def test_the_shipped_bundle_reaches_the_floor_on_the_public_test_split(measured: dict[str, Any]) -> None:
    """An AUC of 0.97, better than the textbook network and far better than sharpness alone."""
    assert measured["auc"] >= 0.97
    assert measured["auc"] > measured["baseline_auc"]
    assert measured["auc"] > measured["sharpness_auc"] + 0.1
    assert measured["anomaly_auc"] >= 0.84


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
