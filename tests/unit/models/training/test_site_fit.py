"""A bundle fitted to its site: only what was fitted to labels of the site says so."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import models
from models.bundle.folder import read_manifest
from models.data.joint import SOURCE
from models.data.labelled import LabelledImages
from models.inference.reader import load
from models.training.site_fit import FEWEST_PATIENTS, SITE, fitted_to_site

STARTER = Path(models.__file__).parent / "starter"


def _of_site(count: int) -> LabelledImages:
    """Return images of noise, those of which the starter says more called present."""
    rng = np.random.default_rng(5)
    pixels = tuple(rng.normal(share, 0.2, (64, 64)).astype(np.float32) for share in np.linspace(0.2, 0.8, count))
    names = tuple(f"image-{number}" for number in range(count))
    images = LabelledImages(pixels, np.zeros(count, np.int64), names, names, attributes={SOURCE: (SITE,) * count})
    logits = load(STARTER).logits(images.views(read_manifest(STARTER).classifier.size)).reshape(-1)
    return LabelledImages(
        pixels, (logits > np.median(logits)).astype(np.int64), names, names, attributes=images.attributes
    )


@pytest.mark.parametrize(("patients", "local"), [(2 * FEWEST_PATIENTS, True), (FEWEST_PATIENTS, False)])
def test_a_bundle_says_whether_it_was_calibrated_on_labels_of_its_site(
    tmp_path: Path,
    patients: int,
    local: bool,  # noqa: FBT001
) -> None:
    """With too few patients the calibration stays another site's, and reports say no percentage."""
    fitted = fitted_to_site(STARTER, _of_site(patients), tmp_path / "fitted", datetime(2026, 1, 2, tzinfo=UTC))
    assert read_manifest(fitted.bundle).calibration.local_labels is local
