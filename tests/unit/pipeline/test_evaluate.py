"""Evaluating at an operator's word: what is written, and that no look at a test split goes unrecorded."""

import json
import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from models import STARTER
from models.bundle.folder import open_bundle
from models.bundle.manifest import sealed
from node.domain.errors import OperatorError
from node.pipeline.registry.evaluate import Wanted, evaluate
from node.pipeline.registry.evaluation_log import log_of, log_training
from node.pipeline.registry.labelled_dicom import open_labelled
from tests.support.models.evaluations import read_log
from tests.test_docs import documented_json_keys

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def quiet(_stage: str, _done: int, _total: int) -> None:
    """Hear of the progress, and say nothing."""


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an npz of noise with two labels and the three splits."""
    random = np.random.default_rng(0)
    images = {name: random.integers(0, 256, (24, 40, 40), np.uint8) for name in ("x_train", "x_test")}
    blurred = np.stack([cv2.GaussianBlur(image, (0, 0), 2) for image in images["x_test"]])
    labels = np.arange(24) % 2
    path = tmp_path_factory.mktemp("data") / "noise.npz"
    np.savez(path, x_train=images["x_train"], y_train=labels, x_test=blurred, y_test=labels)
    return path


def test_an_evaluation_leaves_page_measures_figures_and_a_line(noise: Path, tmp_path: Path) -> None:
    """All from one look at the data, with the reason that was given."""
    wanted = Wanted(tmp_path / "one.html", tmp_path / "out", log=tmp_path / "log.csv", note="to see")
    measures = evaluate(STARTER, noise, "test", quiet, wanted, lambda: NOW)
    assert measures["n"] == 24
    assert set(measures) == set(documented_json_keys("evaluate"))
    assert json.loads((tmp_path / "out" / "measures.json").read_bytes()) == json.loads(json.dumps(measures))
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "out" / "page.html").read_bytes()
    assert (tmp_path / "out" / "figures" / "roc.svg").is_file()
    (use,) = read_log(tmp_path / "log.csv")
    assert (use.data, use.split, use.n, use.reason, use.time) == ("noise", "test", "24", "to see", NOW.isoformat())
    assert use.manifest_digest == open_bundle(STARTER).manifest.manifest_digest


@pytest.fixture(scope="module")
def looked_at_train(noise: Path) -> list[str]:
    """Return what was said at a look at the split that others are learned from."""
    said: list[str] = []
    evaluate(STARTER, noise, "train", quiet, Wanted(log=noise.with_name("log.csv")), say=said.append)
    return said


def test_what_is_learned_from_is_no_use_of_a_test_split(noise: Path, looked_at_train: list[str]) -> None:
    """Val may be looked at as often as anybody likes."""
    assert looked_at_train
    assert not noise.with_name("log.csv").exists()


def test_a_look_that_leaves_no_line_is_not_taken(noise: Path, tmp_path: Path) -> None:
    """Where the log cannot be written, nothing is evaluated, and the message names the way out."""
    with pytest.raises(OperatorError, match="name another --log"):
        evaluate(STARTER, noise, "test", quiet, Wanted(tmp_path / "one.html", log=tmp_path / "none" / "log.csv"))
    assert not (tmp_path / "one.html").exists()


def test_the_log_is_the_checkouts_or_lies_beside_the_bundle(tmp_path: Path) -> None:
    """Wherever the command is given."""
    (tmp_path / "docs").mkdir()
    assert log_of(tmp_path / "models" / "one") == tmp_path / "models" / "evaluations.csv"
    (tmp_path / "docs" / "evaluations.csv").touch()
    assert log_of(tmp_path / "models" / "one") == tmp_path / "docs" / "evaluations.csv"
    assert log_of(tmp_path / "models" / "one", tmp_path / "own.csv") == tmp_path / "own.csv"


def test_what_a_training_measured_for_its_manifest_is_a_use_too(noise: Path, tmp_path: Path) -> None:
    """Its line holds the manifest's figures and the digest of the split."""
    data = open_labelled(noise, quiet)
    log_training(STARTER, data, "noise", tmp_path / "log.csv", lambda: NOW)
    (use,) = read_log(tmp_path / "log.csv")
    assert use.auc == f"{open_bundle(STARTER).manifest.measures['test']['auc']:.4f}"
    assert (use.split, use.data_digest) == ("test", data.digest(("test",)))
    assert "manifest" in use.reason


def test_data_without_the_bundles_classes_is_refused(tmp_path: Path) -> None:
    """Ten digits are not the presence of one finding."""
    random = np.random.default_rng(0)
    arrays = {f"x_{part}": random.integers(0, 256, (30, 28, 28), np.uint8) for part in ("train", "test")}
    np.savez(tmp_path / "digits.npz", **arrays, y_train=np.arange(30) % 10, y_test=np.arange(30) % 10)
    with pytest.raises(OperatorError, match="label that is not one of 0 to 1"):
        evaluate(STARTER, tmp_path / "digits.npz", "test", quiet, Wanted(log=tmp_path / "log.csv"))


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_that_was_learned_from_gets_no_card(noise: Path, tmp_path: Path, split: str) -> None:
    """It is refused before anything is looked at."""
    with pytest.raises(OperatorError, match="was learned from, says nothing"):
        evaluate(STARTER, noise, split, quiet, Wanted(card=tmp_path / "card.md"))
    assert not (tmp_path / "card.md").exists()


def test_other_data_than_the_bundles_are_named_with_what_their_labels_mean(looked_at_train: list[str]) -> None:
    """Nobody should read figures of noise as those of chests."""
    trained = "the bundle was trained on chest_kermany, not on noise"
    assert looked_at_train == [f"{trained}: labels are read as 0 no pneumonia, 1 pneumonia"]


def test_the_data_that_a_bundle_was_trained_with_are_named(noise: Path, tmp_path: Path) -> None:
    """By their digest, whatever the folder is called."""
    bundle, said = tmp_path / "bundle", list[str]()
    shutil.copytree(STARTER, bundle)
    opened = open_bundle(bundle).manifest
    assert opened.data is not None
    digest = open_labelled(noise, quiet).digest(("train", "val"))
    manifest = sealed(replace(opened, data=replace(opened.data, digest=digest, name="noise")))
    (bundle / "manifest.json").write_text(json.dumps(asdict(manifest)), encoding="utf-8")
    evaluate(bundle, noise, "train", quiet, Wanted(log=tmp_path / "log.csv"), say=said.append)
    assert said == ["these are the very data that the bundle was trained with; the split train was learned from"]


def test_a_card_beside_a_file_without_measures_is_refused(noise: Path, tmp_path: Path) -> None:
    """By the name of the file."""
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    wanted = Wanted(card=tmp_path / "card.md", beside=(tmp_path / "other.json",), log=tmp_path / "log.csv")
    with pytest.raises(OperatorError, match=r"other\.json holds no measures"):
        evaluate(STARTER, noise, "test", quiet, wanted)
