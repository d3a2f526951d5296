"""The parts of an anomaly score are fitted on normals, and scaled by normals that were held out."""

from pathlib import Path

import numpy as np
import pytest

from models.bundle.folder import open_bundle
from models.data.dataset import open_data
from models.inference.anomaly import WEIGHTS
from models.inference.reader import load


def test_every_part_of_the_recipe_is_in_the_bundle(tiny_bundle: Path) -> None:
    """Two scores of the restoring autoencoder, one each of the one-class network and of the features."""
    bundle = open_bundle(tiny_bundle)
    assert bundle.manifest.anomaly is not None
    found = {part.kind: (part.file, part.size, part.width, part.weight) for part in bundle.manifest.anomaly.parts}
    assert found == {
        "restoring": ("autoencoder.tflite", 32, 8, WEIGHTS["restoring"]),
        "residual": ("autoencoder.tflite", 32, 8, WEIGHTS["residual"]),
        "one_class": ("one_class.tflite", 32, 8, WEIGHTS["one_class"]),
        "features": ("features.npz", 64, 0, WEIGHTS["features"]),
    }
    assert set(bundle.arrays) == {"admission", "autoencoder", "classifier", "features", "one_class"}


def test_held_out_normals_lie_within_the_scale(tiny_bundle: Path, drawn_dataset: Path) -> None:
    """The scale comes from them, as they are and as other hospitals would have made them."""
    images, reader = open_data(drawn_dataset).images("val"), load(tiny_bundle)
    scores, scale = reader.anomaly_scores(images.views), reader.manifest.anomaly
    assert scores is not None
    assert scale is not None
    normal = scores[images.labels == 0]
    assert scale.quantiles[0] - 1e-4 <= normal.min()
    assert normal.max() <= scale.quantiles[-1] + 1e-4
    assert scale.mean == pytest.approx(0.0, abs=1e-6)
    assert np.isfinite(scores).all()
