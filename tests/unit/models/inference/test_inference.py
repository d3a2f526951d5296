"""A reader says what the bundle knows, and nothing about what it does not know."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import STARTER
from models.bundle.folder import Bundle, BundleError, open_bundle
from models.bundle.manifest import Anomaly, AnomalyPart
from models.inference.anomaly import error_map, fused, mask_score, placed, residual_score, scaled
from models.inference.litert import LiteRT
from models.inference.network import NetworkError
from models.inference.reader import Reader, assembled, load

FAR = 999.0
"""An admission limit that drawn chests keep to as well: the shipped bundle rightly takes them for strangers."""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Return the opened bundle that ships."""
    return open_bundle(STARTER)


@pytest.fixture(scope="module")
def reader() -> Reader:
    """Return a reader of the bundle that ships."""
    return load(STARTER)


@pytest.fixture(scope="module")
def lenient(bundle: Bundle) -> Reader:
    """Return a reader of the bundle that ships which admits nearly everything."""
    assert bundle.manifest.admission is not None
    admission = replace(bundle.manifest.admission, limit=FAR)
    return assembled(replace(bundle, manifest=replace(bundle.manifest, admission=admission)))


@pytest.fixture
def chest(draw_chest: Callable[..., NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return a drawn chest."""
    return draw_chest(np.random.default_rng(11), ill=True).astype(np.float32)


def noise(count: int, size: int, seed: int = 0) -> NDArray[np.float32]:
    """Return network input of nothing in particular."""
    return np.random.default_rng(seed).random((count, size, size, 1)).astype(np.float32)


def test_an_admitted_image_gets_a_probability_and_a_place_among_normals(
    lenient: Reader, chest: NDArray[np.float32]
) -> None:
    """All numbers are there and in their ranges."""
    prediction = lenient.read(chest)
    assert prediction.admitted
    assert prediction.admission_score is not None
    assert 0 < prediction.admission_score <= FAR == prediction.admission_limit
    assert set(prediction.probabilities) == {"pneumonia"}
    assert 0 < prediction.probabilities["pneumonia"] < 1
    assert prediction.anomaly_percentile is not None
    assert 0 <= prediction.anomaly_percentile <= 100
    assert prediction.anomaly_z is not None
    assert np.isfinite(prediction.anomaly_z)


def test_the_same_image_in_other_clothes_gets_the_same_answer(lenient: Reader, chest: NDArray[np.float32]) -> None:
    """Twelve bits, a window or inverted storage change nothing."""
    expected = lenient.read(chest)
    clothes = [(chest * 16, (2048.0, 4096.0), False), (chest * 16 - 1024, None, False), (255 - chest, None, True)]
    for values, window, inverted in clothes:
        prediction = lenient.read(values, window, inverted=inverted)
        assert prediction.probabilities["pneumonia"] == pytest.approx(expected.probabilities["pneumonia"], abs=1e-4)
        assert prediction.admission_score == pytest.approx(expected.admission_score, abs=1e-4)


@pytest.mark.parametrize("stranger", ["noise", "constant", "stripes"])
def test_a_stranger_gets_no_probability(reader: Reader, stranger: str) -> None:
    """What is not admitted is not judged."""
    values = {
        "noise": np.random.default_rng(0).normal(0, 300, (300, 200)),
        "constant": np.full((128, 128), -1000.0),
        "stripes": np.tile(np.sin(np.arange(256) / 4), (256, 1)),
    }[stranger]
    prediction = reader.read(values)
    assert not prediction.admitted
    assert prediction.admission_score is not None
    assert prediction.admission_limit is not None
    assert prediction.admission_score > prediction.admission_limit
    assert prediction.probabilities == {}
    assert (prediction.anomaly_z, prediction.anomaly_percentile) == (None, None)


def test_a_bundle_without_admission_and_anomaly_score_reads_whatever_comes(
    bundle: Bundle, chest: NDArray[np.float32]
) -> None:
    """It gives probabilities, and None for what it does not know."""
    bare = assembled(replace(bundle, manifest=replace(bundle.manifest, admission=None, anomaly=None)))
    prediction = bare.read(chest)
    assert prediction.admitted
    assert (prediction.admission_score, prediction.admission_limit) == (None, None)
    assert (prediction.anomaly_z, prediction.anomaly_percentile) == (None, None)
    assert set(prediction.probabilities) == {"pneumonia"}
    assert bare.anomaly_scores(lambda size: noise(2, size)) is None
    assert bare.error_maps(lambda size: noise(2, size)) is None
    with pytest.raises(BundleError, match="has no admission"):
        bare.admission_score(noise(1, 64)[0])


def test_one_image_and_many_get_equal_answers(reader: Reader) -> None:
    """Evaluation in batches, more than one of them, speaks for serving one by one."""
    size = reader.manifest.classifier.size
    images = noise(70, size)
    together = reader.logits(images)
    alone = np.concatenate([reader.logits(images[number : number + 1]) for number in (0, 33, 69)])
    np.testing.assert_allclose(together[[0, 33, 69]], alone, atol=1e-5)
    few = reader.anomaly_scores(lambda size: noise(3, size))
    one = reader.anomaly_scores(lambda size: noise(3, size)[:1])
    assert few is not None
    assert one is not None
    assert few[0] == pytest.approx(one[0], abs=1e-4)


def test_the_mean_of_the_map_is_the_logit(reader: Reader) -> None:
    """What each place contributes adds up to what is answered."""
    images = noise(3, reader.manifest.classifier.size)
    maps = reader.maps(images)
    assert maps is not None
    assert maps.shape[0] == 3
    np.testing.assert_allclose(maps.mean((1, 2)), reader.logits(images), atol=1e-4)


def test_error_maps_have_the_size_of_the_part_that_makes_them(reader: Reader) -> None:
    """One value for each pixel of its input, all finite."""
    maps = reader.error_maps(lambda size: noise(2, size))
    assert maps is not None
    assert reader.manifest.anomaly is not None
    sizes = {part.size for part in reader.manifest.anomaly.parts}
    assert maps.shape[0] == 2
    assert maps.shape[1] == maps.shape[2]
    assert maps.shape[1] in sizes
    assert np.isfinite(maps).all()


def test_an_image_that_is_none_is_an_error(reader: Reader) -> None:
    """A stack of frames is handed in frame by frame."""
    with pytest.raises(ValueError, match="rows and columns"):
        reader.read(np.zeros((2, 64, 64), np.float32))


@pytest.mark.parametrize(
    ("score", "percentile"), [(-5.0, 0.0), (0.0, 0.0), (25.0, 25.0), (100.0, 100.0), (900.0, 100.0)]
)
def test_a_score_is_placed_among_the_normals(score: float, percentile: float) -> None:
    """Below all of them, between, above all of them."""
    normals = Anomaly((), 50.0, 10.0, tuple(float(number) for number in range(101)))
    assert placed(score, normals) == (pytest.approx((score - 50) / 10), pytest.approx(percentile))


def test_parts_are_measured_by_their_own_scale() -> None:
    """A part whose scores are a thousand times larger says as much as the other, not a thousand times more."""
    random = np.random.default_rng(0)
    raw = (random.normal(3, 1, 200), random.normal(-5000, 1000, 200))
    parts = (AnomalyPart("restoring", "a.tflite", 64, 0.0, 1.0), AnomalyPart("one_class", "b.tflite", 64, 0.0, 1.0))
    normals = scaled(parts, raw)
    assert [part.mean for part in normals.parts] == pytest.approx([raw[0].mean(), raw[1].mean()])
    assert [part.deviation for part in normals.parts] == pytest.approx([raw[0].std(), raw[1].std()])
    together = fused(raw, normals.parts)
    assert normals.mean == pytest.approx(together.mean(), abs=1e-9)
    assert normals.deviation == pytest.approx(together.std())
    assert placed(float(np.median(together)), normals)[1] == pytest.approx(50.0, abs=0.01)
    one_up = fused((raw[0] + raw[0].std(), raw[1]), normals.parts)
    other_up = fused((raw[0], raw[1] + raw[1].std()), normals.parts)
    np.testing.assert_allclose(one_up, other_up)


def test_a_part_counts_by_its_weight() -> None:
    """Half the weight, half the say."""
    heavy = AnomalyPart("restoring", "a.tflite", 64, 0.0, 1.0, weight=1.0)
    light = AnomalyPart("features", "b.npz", 64, 0.0, 1.0, weight=0.5)
    assert fused((np.array([3.0]), np.array([0.0])), (heavy, light)) == pytest.approx([2.0])
    assert fused((np.array([0.0]), np.array([3.0])), (heavy, light)) == pytest.approx([1.0])


def test_all_kinds_of_parts_are_fused(bundle: Bundle) -> None:
    """Two masks, what is taken away and arrays of features: the weighted mean of their standard scores."""
    assert bundle.manifest.anomaly is not None
    part = bundle.manifest.anomaly.parts[0]
    parts = (
        replace(part, kind="restoring", mean=0.1, deviation=2.0, weight=1.0),
        replace(part, kind="residual", mean=0.2, deviation=0.5, weight=0.5),
        replace(part, kind="one_class", mean=-3.0, deviation=4.0, weight=2.0),
        AnomalyPart("features", "admission.npz", 64, 3.0, 0.5, weight=0.25),
    )
    images, network = noise(2, part.size), LiteRT(bundle.networks[part.file])
    said = network(images)
    raw = (
        mask_score(said["mask"]),
        residual_score(images, said["restored"]),
        mask_score(said["mask"]),
        np.array([load(STARTER).admission_score(image) for image in noise(2, 64)]),
    )
    known = Anomaly(parts, 0.0, 1.0, bundle.manifest.anomaly.quantiles)
    reader = assembled(replace(bundle, manifest=replace(bundle.manifest, anomaly=known)))
    expected = sum(p.weight * (score - p.mean) / p.deviation for p, score in zip(parts, raw, strict=True)) / 3.75
    np.testing.assert_allclose(reader.anomaly_scores(lambda size: noise(2, size)), expected, rtol=1e-4)


def test_scores_are_means_of_the_most_suspicious_places() -> None:
    """A fifth of a mask, a tenth of what is taken away; brightness that is added does not count."""
    mask = np.full((1, 20, 20, 1), -50.0, np.float32)
    mask[0, :4] = 3.0
    assert mask_score(mask) == pytest.approx([3.0])
    images, restored = np.full((1, 20, 20, 1), 0.5, np.float32), np.full((1, 20, 20, 1), 0.9, np.float32)
    assert residual_score(images, restored) == pytest.approx([0.0])
    restored[0, :6] = 0.1  # more than a tenth stays untouched by the smoothing of its edge
    assert residual_score(images, restored) == pytest.approx([0.4])


def test_what_is_taken_away_is_seen_at_the_restored_images_resolution() -> None:
    """A network that works at half the resolution gives the score of one that works at the whole, nearly."""
    images = np.repeat(np.repeat(noise(1, 16), 4, axis=1), 4, axis=2)
    restored = images - np.float32(0.25)
    whole, half = residual_score(images, restored), residual_score(images, restored[:, ::2, ::2])
    assert whole == pytest.approx([0.25])
    assert half == pytest.approx([0.25])


def test_the_error_map_is_the_probability_of_the_masks_mean() -> None:
    """Place by place, at the size that is asked for, and never beyond 0 and 1."""
    mask = np.array([[-1e9, 0.0], [2.0, 1e9]], np.float32)[np.newaxis, ..., np.newaxis]
    np.testing.assert_allclose(error_map([mask], 2), [[[0.0, 0.5], [0.880797, 1.0]]], atol=1e-6)
    fine = np.zeros((1, 4, 4, 1), np.float32)
    both = error_map([mask, fine], 4)
    assert both.shape == (1, 4, 4)
    np.testing.assert_allclose(both[0, 2:, :2], 0.731059, atol=1e-6)


def test_an_image_of_another_size_is_refused_by_litert(bundle: Bundle) -> None:
    """The interpreter could be reshaped, and would answer something."""
    network = LiteRT(bundle.networks["classifier.tflite"])
    with pytest.raises(NetworkError, match=r"\(32, 32, 1\), where the input takes"):
        network(np.zeros((1, 32, 32, 1), np.float32))


def test_another_network_in_a_parts_place_is_refused_by_file(bundle: Bundle) -> None:
    """The classifier restores nothing."""
    networks = {**bundle.networks, "autoencoder.tflite": bundle.networks["classifier.tflite"]}
    with pytest.raises(BundleError, match=r"autoencoder\.tflite has no output '(mask|restored)'"):
        assembled(replace(bundle, networks=networks))


def test_admission_weights_of_other_features_are_refused(bundle: Bundle) -> None:
    """They are refused when the bundle is loaded, not when the first image comes."""
    known = bundle.arrays["admission"]
    for odd in ({**known, "mean": known["mean"][:-1]}, {**known, "components": known["components"].T}, {}):
        with pytest.raises(BundleError, match="admission weights"):
            assembled(replace(bundle, arrays={**bundle.arrays, "admission": odd}))


def test_a_public_key_asks_for_a_signature(bundle: Bundle, tmp_path: Any) -> None:
    """The key's file must be there, before anything else."""
    with pytest.raises(BundleError, match=r"nobody\.pem"):
        load(STARTER, public_key=tmp_path / "nobody.pem")


def test_reading_needs_neither_tensorflow_nor_scikit_learn() -> None:
    """Serving works where what only training and evaluation need cannot be imported."""
    code = (
        "import sys, numpy\n"
        "for name in ('tensorflow', 'keras', 'sklearn'): sys.modules[name] = None\n"
        "from models.inference.reader import load\n"
        f"reader = load({str(STARTER)!r})\n"
        "reader.read(numpy.eye(64))\n"
        "views = lambda size: numpy.zeros((1, size, size, 1), numpy.float32)\n"
        "assert reader.logits(views(reader.manifest.classifier.size)).shape == (1, len(reader.manifest.classes))\n"
        "assert reader.anomaly_scores(views).shape == (1,)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
