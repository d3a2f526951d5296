"""An anomaly score is fitted to a site's normals, as another device."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models import STARTER
from models.bundle.folder import BundleError, open_bundle, read_manifest, write_bundle
from models.data.labelled import DataError, LabelledImages
from models.inference.reader import load
from models.inference.refit import FEWEST, LEAST_SPREAD, refit_anomaly

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COUNT = 40


@pytest.fixture(scope="module")
def normals(draw_chest: Callable[..., NDArray[np.uint8]]) -> LabelledImages:
    """Return drawn chests as a site without any real ones would have them."""
    random = np.random.default_rng(2)
    pixels = tuple(draw_chest(random, ill=False) for _ in range(COUNT))
    names = tuple(f"image {number}" for number in range(COUNT))
    return LabelledImages(pixels, np.zeros(COUNT, np.int64), names, names)


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bundle that ships as it would be for drawings: it admits them, and is used to normals so alike."""
    folder = Path(shutil.copytree(STARTER, tmp_path_factory.mktemp("drawn") / "starter"))
    manifest = read_manifest(folder)
    assert manifest.anomaly is not None
    assert manifest.admission is not None
    parts = tuple(replace(part, deviation=part.deviation / 100) for part in manifest.anomaly.parts)
    anomaly = replace(manifest.anomaly, parts=parts, deviation=manifest.anomaly.deviation / 100)
    write_bundle(folder, replace(manifest, admission=replace(manifest.admission, limit=99.0), anomaly=anomaly))
    return folder


@pytest.fixture(scope="module")
def refitted(starter: Path, normals: LabelledImages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return that bundle, fitted to the drawn chests."""
    return refit_anomaly(starter, normals, tmp_path_factory.mktemp("site") / "starter", now=NOW)


def test_the_sites_own_normals_lie_in_the_middle_afterwards(
    starter: Path, refitted: Path, normals: LabelledImages
) -> None:
    """Their fused scores have mean 0 and deviation 1 on the new scale, and were far off on the old one."""
    manifest, scores = load(refitted).manifest, load(refitted).anomaly_scores(normals.views)
    assert manifest.anomaly is not None
    assert scores is not None
    z = (scores - manifest.anomaly.mean) / manifest.anomaly.deviation
    assert z.mean() == pytest.approx(0.0, abs=1e-6)
    assert z.std() == pytest.approx(1.0)
    assert np.interp(np.median(scores), manifest.anomaly.quantiles, np.arange(101)) == pytest.approx(50, abs=0.1)
    before = load(starter).anomaly_scores(normals.views)
    old = open_bundle(starter).manifest.anomaly
    assert before is not None
    assert old is not None
    assert abs(np.mean((before - old.mean) / old.deviation)) > 1.0


def test_it_is_another_device_of_another_version(starter: Path, refitted: Path) -> None:
    """The rest of the manifest is as it was; measures that do not hold any more are gone."""
    old, new = open_bundle(starter).manifest, open_bundle(refitted).manifest
    assert new.device_uid != old.device_uid
    assert (new.version, new.created_at) == (f"{old.version}-site", "2026-01-02T03:04:05+00:00")
    assert (new.files, new.weights_digest) == (old.files, old.weights_digest)
    assert new.recipe["anomaly_fitted_to"]["of"] == old.device_uid
    assert new.recipe["anomaly_fitted_to"]["images"] == COUNT
    assert "auc" in new.measures["test"]
    assert not any(name.startswith("anomaly") for name in new.measures["test"])


def test_fitting_again_keeps_the_version_and_makes_another_device(refitted: Path, normals: LabelledImages) -> None:
    """Other normals, other scale; the version does not grow."""
    some = LabelledImages(normals.pixels[5:], normals.labels[5:], normals.groups[5:], normals.names[5:])
    again = refit_anomaly(refitted, some, refitted.parent / "again", now=NOW)
    first, second = open_bundle(refitted).manifest, open_bundle(again).manifest
    assert second.version == first.version
    assert second.device_uid != first.device_uid


def test_the_same_normals_in_another_order_give_the_same_device(
    starter: Path, refitted: Path, normals: LabelledImages
) -> None:
    """Up to what sums of floats lose, which is nothing that the quantiles show."""
    back = slice(None, None, -1)
    turned = LabelledImages(normals.pixels[back], normals.labels, normals.groups[back], normals.names[back])
    other = open_bundle(refit_anomaly(starter, turned, refitted.parent / "turned", now=NOW)).manifest
    first = open_bundle(refitted).manifest
    assert first.anomaly is not None
    assert other.anomaly is not None
    np.testing.assert_allclose(other.anomaly.quantiles, first.anomaly.quantiles, atol=1e-6)
    assert other.recipe["anomaly_fitted_to"] == first.recipe["anomaly_fitted_to"]


def test_what_is_no_normal_and_too_few_normals_are_refused(
    starter: Path, normals: LabelledImages, tmp_path: Path
) -> None:
    """By name and by number; copies of one image are one image, and nothing is left behind."""
    labels = normals.labels.copy()
    labels[3] = 1
    with pytest.raises(DataError, match=r"1 image labelled as not normal: image 3$"):
        refit_anomaly(starter, replace(normals, labels=labels), tmp_path / "out", now=NOW)
    copies = replace(normals, pixels=normals.pixels[:1] * COUNT, _views={})
    with pytest.raises(DataError, match=rf"^1 different normals of {COUNT} patients .*: images of {FEWEST}"):
        refit_anomaly(starter, copies, tmp_path / "out", now=NOW)
    few = replace(normals, groups=tuple(f"patient {number // 2}" for number in range(COUNT)))
    with pytest.raises(DataError, match=rf"^{COUNT} different normals of {COUNT // 2} patients are too few"):
        refit_anomaly(starter, few, tmp_path / "out", now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_images_of_another_kind_are_refused_by_name(starter: Path, normals: LabelledImages, tmp_path: Path) -> None:
    """What admission turns away makes no scale."""
    strict, manifest = Path(shutil.copytree(starter, tmp_path / "strict")), read_manifest(starter)
    assert manifest.admission is not None
    write_bundle(strict, replace(manifest, admission=replace(manifest.admission, limit=0.01)))
    with pytest.raises(DataError, match=rf"{COUNT} images of {COUNT} not of the kind .*: image 0, image 1,"):
        refit_anomaly(strict, normals, tmp_path / "out", now=NOW)
    assert not (tmp_path / "out").exists()


def test_a_few_images_that_are_not_admitted_are_left_out(
    starter: Path, normals: LabelledImages, tmp_path: Path
) -> None:
    """A blank one among forty changes nothing of the scale."""
    blank = replace(normals, pixels=(*normals.pixels[:-1], np.zeros((96, 96), np.uint8)), _views={})
    rest = slice(None, -1)
    without = LabelledImages(normals.pixels[rest], normals.labels[rest], normals.groups[rest], normals.names[rest])
    found = open_bundle(refit_anomaly(starter, blank, tmp_path / "blank", now=NOW)).manifest
    expected = open_bundle(refit_anomaly(starter, without, tmp_path / "without", now=NOW)).manifest
    assert found.anomaly is not None
    assert expected.anomaly is not None
    np.testing.assert_allclose(found.anomaly.quantiles, expected.anomaly.quantiles, atol=1e-6)
    assert found.recipe["anomaly_fitted_to"] == expected.recipe["anomaly_fitted_to"]
    assert found.recipe["anomaly_fitted_to"]["patients"] == COUNT - 1


def test_normals_that_are_all_alike_make_no_narrow_scale(
    starter: Path, normals: LabelledImages, tmp_path: Path
) -> None:
    """A quarter of the bundle's own deviations is the least."""
    wide, manifest = Path(shutil.copytree(starter, tmp_path / "wide")), read_manifest(starter)
    assert manifest.anomaly is not None
    parts = tuple(replace(part, deviation=1000.0) for part in manifest.anomaly.parts)
    write_bundle(wide, replace(manifest, anomaly=replace(manifest.anomaly, parts=parts, deviation=1000.0)))
    found = open_bundle(refit_anomaly(wide, normals, tmp_path / "out", now=NOW)).manifest.anomaly
    assert found is not None
    assert {found.deviation, *(part.deviation for part in found.parts)} == {LEAST_SPREAD * 1000.0}


def test_a_bundle_without_an_anomaly_score_and_a_place_that_is_taken_are_refused(
    starter: Path, refitted: Path, normals: LabelledImages, tmp_path: Path
) -> None:
    """There is nothing to fit, and nothing is overwritten."""
    with pytest.raises(FileExistsError, match="exists already"):
        refit_anomaly(starter, normals, refitted, now=NOW)
    bare = refit_anomaly(starter, normals, tmp_path / "bare", now=NOW)
    write_bundle(bare, replace(open_bundle(bare).manifest, anomaly=None))
    with pytest.raises(BundleError, match="has no anomaly score"):
        refit_anomaly(bare, normals, tmp_path / "out", now=NOW)
