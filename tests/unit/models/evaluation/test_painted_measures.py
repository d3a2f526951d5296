"""Painted images: what networks and batches they come from, how far from real ones, and whether they help."""

import numpy as np
import pytest

from models import STARTER
from models.evaluation.painted_measures import (
    drawn_alike,
    eight_bits,
    frechet_distance,
    nearest,
    nearest_distances,
    read_by,
    variety,
)
from models.inference.generator import GENERATOR, load_generator
from models.inference.reader import load
from models.networks.dcgan import discriminator, generator, smallest
from models.training.adversaries import seen
from models.training.gan import balanced_order
from models.training.synthetic_arm import Arm


def test_networks_have_the_documented_shapes() -> None:
    """Latent values and label give an image in [-1, 1]; image and label give one logit."""
    painted = np.asarray(generator(16, 4, 2, 4, 16)(np.ones((3, 6), np.float32)))
    judged = discriminator(16, 2, 4, 16)({"image": painted, "label": np.eye(2, dtype=np.float32)[[0, 1, 1]]})
    assert painted.shape == (3, 16, 16, 1)
    assert np.abs(painted).max() <= 1.0
    assert tuple(judged.shape) == (3, 1)


@pytest.mark.parametrize(("size", "rows"), [(16, 4), (64, 4), (96, 6), (128, 4)])
def test_an_image_is_halved_to_a_small_grid(size: int, rows: int) -> None:
    """Both networks meet at the same grid."""
    assert smallest(size) == rows


def test_a_size_that_cannot_be_halved_is_refused() -> None:
    """The message names the size, and sizes that work."""
    with pytest.raises(ValueError, match=r"100 rows.*use 64, 96 or 128"):
        smallest(100)


def test_augmentation_changes_images_alike_for_one_seed_and_never_mirrors() -> None:
    """Real and painted images are changed the same way; a white left half stays left."""
    images = -np.ones((64, 16, 16, 1), np.float32)
    images[:, :, :5] = 1.0
    changed = np.asarray(seen(images, np.array([3, 4], np.int32)))
    np.testing.assert_array_equal(changed, np.asarray(seen(images, np.array([3, 4], np.int32))))
    assert np.abs(changed - images).mean() > 0.1
    assert (changed[:, :, :8].mean((1, 2, 3)) > changed[:, :, 8:].mean((1, 2, 3))).mean() > 0.9


def test_every_label_is_as_often_in_every_batch() -> None:
    """Three quarters of one label in the data, half of it in the batches; nothing twice before all were shown."""
    labels = np.repeat([0, 1], [8, 24])
    order = balanced_order(labels, 8, np.random.default_rng(0))
    assert order.shape == (4, 8)
    assert (labels[order].sum(1) == 4).all()
    assert len(set(order[:, 4:].ravel().tolist())) == 16


def test_the_frechet_distance_of_known_distributions_is_the_formula() -> None:
    """Zero for the same features; for moved and widened ones what mathematics says."""
    features = np.random.default_rng(0).standard_normal((20_000, 3))
    assert frechet_distance(features, features) == pytest.approx(0.0, abs=1e-6)
    assert frechet_distance(features, features + 2.0) == pytest.approx(12.0, abs=1e-6)
    assert frechet_distance(features, 3.0 * features) == pytest.approx(12.0, rel=0.05)


def test_copies_of_training_images_show() -> None:
    """A generator that memorised comes nearer than any held-out image does; an honest one does not."""
    random = np.random.default_rng(0)
    train, held_out, fresh = (random.random((40, 64)) for _ in range(3))
    assert nearest(train + 1e-3, train, held_out)["nearer_than_any"] == 1.0
    assert nearest(fresh, train, held_out)["nearer_than_any"] < 0.2
    assert nearest_distances(train + 0.5, train).max() <= 0.5 + 1e-9


def test_a_generator_that_repeats_itself_shows() -> None:
    """Nearly equal images have hardly any variety."""
    random = np.random.default_rng(0)
    found = variety(np.full((30, 64), 0.5) + random.normal(0, 1e-3, (30, 64)), random.random((30, 64)))
    assert found["painted"] < 0.01 * found["held_out"]


def test_the_floor_is_drawn_with_the_same_labels() -> None:
    """As many of each, no image twice."""
    labels, like = np.repeat([0, 1], [30, 70]), np.repeat([0, 1], [5, 9])
    drawn = drawn_alike(labels, like, 0)
    assert np.bincount(labels[drawn]).tolist() == [5, 9]
    assert len(set(drawn.tolist())) == 14


def test_grey_values_are_stored_in_eight_bits() -> None:
    """The ends of the range are the ends of eight bits."""
    assert eight_bits(np.array([[0.0, 0.5, 1.0]], np.float32)).tolist() == [[0, 128, 255]]


def test_painted_images_help_only_where_every_seed_gains_more_than_chance() -> None:
    """One seed that loses, or a gain within the noise, leaves them off."""
    assert Arm((0.90, 0.91), (0.92, 0.93)).helped
    assert not Arm((0.90, 0.91), (0.94, 0.90)).helped
    assert not Arm((0.900, 0.910), (0.904, 0.914)).helped


def test_a_reader_is_asked_as_it_is_and_what_it_refuses_agrees_with_nothing() -> None:
    """Black images are no chests: none admitted, and none that agrees."""
    black = np.zeros((2, 16, 16), np.float32)
    assert read_by(load(STARTER), {"normal": black}) == {"admitted": {"normal": 0.0}, "agreed": {"normal": 0.0}}


def test_the_shipped_generator_is_small_and_names_its_source() -> None:
    """At most 6 MB in all, with licence and attribution of the images that taught it."""
    assert sum(path.stat().st_size for path in GENERATOR.iterdir()) <= 6_000_000
    manifest = load_generator().manifest
    assert manifest.labels == ("normal", "pneumonia")
    assert "CC BY 4.0" in manifest.data.licence
    assert manifest.data.attribution in (GENERATOR / "ATTRIBUTION.txt").read_text(encoding="utf-8")


def test_the_starter_reads_what_the_shipped_generator_paints() -> None:
    """Its admission lets in nine of ten at least, and its classifier finds the label in most of them."""
    painter = load_generator()
    shares = read_by(load(STARTER), {label: painter.images(label, 20, seed=7) for label in painter.labels})
    assert min(shares["admitted"].values()) >= 0.9
    assert min(shares["agreed"].values()) >= 0.75
