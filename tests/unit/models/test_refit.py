"""An anomaly score is fitted to a site's normals, as another device."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models import STARTER
from models.bundle.folder import BundleError, open_bundle, write_bundle
from models.data.labelled import DataError, LabelledImages
from models.inference.reader import load
from models.inference.refit import FEWEST, refit_anomaly

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
def refitted(normals: LabelledImages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bundle that ships, fitted to the drawn chests."""
    return refit_anomaly(STARTER, normals, tmp_path_factory.mktemp("site") / "starter", now=NOW)


def test_the_sites_own_normals_lie_in_the_middle_afterwards(refitted: Path, normals: LabelledImages) -> None:
    """Their fused scores have mean 0 and deviation 1 on the new scale, and were far off on the old one."""
    manifest, scores = load(refitted).manifest, load(refitted).anomaly_scores(normals.views)
    assert manifest.anomaly is not None
    assert scores is not None
    z = (scores - manifest.anomaly.mean) / manifest.anomaly.deviation
    assert z.mean() == pytest.approx(0.0, abs=1e-6)
    assert z.std() == pytest.approx(1.0)
    assert np.interp(np.median(scores), manifest.anomaly.quantiles, np.arange(101)) == pytest.approx(50, abs=0.1)
    before = load(STARTER).anomaly_scores(normals.views)
    old = open_bundle(STARTER).manifest.anomaly
    assert before is not None
    assert old is not None
    assert abs(np.mean((before - old.mean) / old.deviation)) > 1.0


def test_it_is_another_device_of_another_version(refitted: Path) -> None:
    """The rest of the manifest is as it was; measures that do not hold any more are gone."""
    old, new = open_bundle(STARTER).manifest, open_bundle(refitted).manifest
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


def test_the_same_normals_in_another_order_give_the_same_device(refitted: Path, normals: LabelledImages) -> None:
    """Up to what sums of floats lose, which is nothing that the quantiles show."""
    back = slice(None, None, -1)
    turned = LabelledImages(normals.pixels[back], normals.labels, normals.groups[back], normals.names[back])
    other = open_bundle(refit_anomaly(STARTER, turned, refitted.parent / "turned", now=NOW)).manifest
    first = open_bundle(refitted).manifest
    assert first.anomaly is not None
    assert other.anomaly is not None
    np.testing.assert_allclose(other.anomaly.quantiles, first.anomaly.quantiles, atol=1e-6)
    assert other.recipe["anomaly_fitted_to"] == first.recipe["anomaly_fitted_to"]


def test_what_is_no_normal_and_too_few_normals_are_refused(normals: LabelledImages, tmp_path: Path) -> None:
    """By name and by number; copies of one image are one image, and nothing is left behind."""
    labels = normals.labels.copy()
    labels[3] = 1
    with pytest.raises(DataError, match=r"1 image labelled as not normal: image 3$"):
        refit_anomaly(STARTER, replace(normals, labels=labels), tmp_path / "out", now=NOW)
    copies = replace(normals, pixels=normals.pixels[:1] * COUNT, _views={})
    with pytest.raises(DataError, match=rf"1 different normals are too few to place scores among: {FEWEST}"):
        refit_anomaly(STARTER, copies, tmp_path / "out", now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_without_an_anomaly_score_and_a_place_that_is_taken_are_refused(
    refitted: Path, normals: LabelledImages, tmp_path: Path
) -> None:
    """There is nothing to fit, and nothing is overwritten."""
    with pytest.raises(FileExistsError, match="exists already"):
        refit_anomaly(STARTER, normals, refitted, now=NOW)
    bare = refit_anomaly(STARTER, normals, tmp_path / "bare", now=NOW)
    write_bundle(bare, replace(open_bundle(bare).manifest, anomaly=None))
    with pytest.raises(BundleError, match="has no anomaly score"):
        refit_anomaly(bare, normals, tmp_path / "out", now=NOW)
