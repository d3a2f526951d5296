"""What serves says the same as what was trained."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from models import STARTER
from models.bundle.folder import Bundle, open_bundle
from models.bundle.half import rounded_to_half
from models.data.dataset import LabelledImages, open_data
from models.inference.litert import LiteRT
from models.inference.network import outputs_in_batches
from models.networks.compact_resnet import compact_resnet
from models.networks.one_class import one_class
from models.networks.restoring_autoencoder import restoring_autoencoder
from models.networks.textbook import textbook
from models.networks.weights import arrays_of, assign, round_to_half
from models.training.litert_export import averaged, exported, with_map

AGREED = 1e-4
"""How far exported and Keras outputs may lie apart."""


def noise(count: int, size: int, channels: int = 1) -> NDArray[np.float32]:
    """Return network input of nothing in particular."""
    return np.random.default_rng(3).random((count, size, size, channels)).astype(np.float32)


def unsettle(model: Any, seed: int = 5) -> None:
    """Give a model weights as a training leaves them: no mean at zero, no variance at one, gammas of both signs."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        value = variable.value.numpy()
        positive = random.uniform(0.5, 2.0, value.shape)
        drawn = {"moving_variance": positive, "gamma": positive * random.choice([-1, 1], value.shape)}
        variable.assign(drawn.get(variable.path.rpartition("/")[2], value + random.normal(0, 0.05, value.shape)))


def lively(model: Any, seed: int = 5) -> Any:
    """Return a model with weights as a training leaves them, rounded."""
    unsettle(model, seed)
    round_to_half(model)
    return model


def answers(model: Any, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Return what Keras says of images, by output."""
    parts = [model(images[first : first + 64], training=False) for first in range(0, len(images), 64)]
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


def apart(network: bytes, model: Any, images: NDArray[np.float32]) -> dict[str, float]:
    """Return the largest distance between exported and Keras outputs, by output."""
    served, trained = outputs_in_batches(LiteRT(network), images), answers(model, images)
    assert set(served) == set(trained)
    return {name: float(np.abs(served[name] - trained[name]).max()) for name in trained}


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    """Return the opened bundle that ships."""
    return open_bundle(STARTER)


@pytest.fixture(scope="module")
def public_chests(public_data: Path) -> LabelledImages:
    """Return all images of the public test split."""
    return open_data(public_data / "chest_kermany").images("test")


@pytest.mark.parametrize("classes", [1, 3])
def test_an_exported_classifier_says_what_keras_says(classes: int) -> None:
    """Logits and map, one image and several, after batch normalisation has been folded."""
    model = lively(compact_resnet(32, classes))
    network = exported(with_map(model))
    for count in (1, 5):
        assert max(apart(network, with_map(model), noise(count, 32)).values()) < AGREED


def test_the_map_is_in_closed_form() -> None:
    """Features of each place times the head's weights plus its bias; the mean over all places is the logit."""
    model, images = lively(compact_resnet(32, 2)), noise(3, 32)
    features = np.asarray(keras.Model(model.input, model.get_layer("pool").input)(images, training=False))
    kernel, bias = model.get_layer("head").get_weights()
    served = LiteRT(exported(with_map(model)))(images)
    np.testing.assert_allclose(served["map"], features @ kernel + bias, atol=AGREED)
    np.testing.assert_allclose(served["map"].mean((1, 2)), served["logits"], atol=AGREED)


def test_a_classifier_without_a_linear_head_on_an_average_has_no_map() -> None:
    """Its logits are exported all the same."""
    model, images = lively(textbook(32, 2)), noise(4, 32)
    served = LiteRT(exported(with_map(model)))(images)
    assert set(served) == {"logits"}
    np.testing.assert_allclose(served["logits"], np.asarray(model(images, training=False)), atol=AGREED)


def test_an_exported_autoencoder_says_what_keras_says_in_half_the_space() -> None:
    """Group normalisation leaves the weights as they are, so 16 bits hold them."""
    model = lively(restoring_autoencoder(32, 16))
    network = exported(model)
    for count in (1, 3):
        assert max(apart(network, model, noise(count, 32)).values()) < AGREED
    assert len(network) < 3 * model.count_params()


def test_an_exported_one_class_network_says_what_keras_says() -> None:
    """Its mask has half the image's resolution."""
    model = lively(one_class(32, 8))
    assert answers(model, noise(1, 32))["mask"].shape == (1, 16, 16, 1)
    assert max(apart(exported(model), model, noise(3, 32)).values()) < AGREED


def test_the_same_weights_give_the_same_bytes() -> None:
    """A training can be repeated to the last bit of its bundle."""
    model = lively(compact_resnet(32, 1))
    assert exported(with_map(model)) == exported(with_map(model))


def test_rounding_changes_answers_little_and_rounding_again_nothing() -> None:
    """Every kernel is what 16 bits hold, with the scale of its normalisation in it, and so is the exported network."""
    model, images = compact_resnet(32, 1), noise(4, 32)
    unsettle(model)
    before = np.asarray(model(images, training=False))
    round_to_half(model)
    first, after = arrays_of(model), np.asarray(model(images, training=False))
    np.testing.assert_allclose(after, before, atol=0.01 * np.abs(before).max())
    round_to_half(model)
    np.testing.assert_allclose(np.asarray(model(images, training=False)), after, atol=1e-5)
    for name, array in first.items():
        if name.endswith("kernel"):
            np.testing.assert_array_equal(array, rounded_to_half(array), err_msg=name)
    assert len(exported(with_map(model))) < 2.5 * model.count_params()


def test_weights_that_were_not_rounded_are_exported_in_32_bits() -> None:
    """A normalisation that still scales would leave numbers that 16 bits do not hold."""
    model = compact_resnet(32, 1)
    unsettle(model)
    network = exported(with_map(model))
    assert len(network) > 4 * model.count_params() * 0.95
    assert max(apart(network, with_map(model), noise(2, 32)).values()) < AGREED


def test_a_training_that_did_not_converge_is_refused_by_variable() -> None:
    """Infinity is no weight."""
    model = compact_resnet(32, 1)
    model.get_layer("head").kernel.assign(np.full((128, 1), np.inf, np.float32))
    with pytest.raises(ValueError, match=r"head/kernel: a weight is beyond what float16 holds"):
        round_to_half(model)


def test_the_shipped_networks_are_exported_from_the_shipped_weights(shipped: Bundle) -> None:
    """What serves is what a retraining would start from."""
    for file, model in _networks(shipped).items():
        assert max(apart(shipped.networks[file], model, noise(2, _size(model))).values()) < AGREED, file


@pytest.mark.data
def test_exported_and_keras_networks_agree_on_the_whole_test_split(
    shipped: Bundle, public_chests: LabelledImages
) -> None:
    """All 311 chest radiographs: logits and maps, restored images, masks."""
    assert len(public_chests) == 311
    for file, model in _networks(shipped).items():
        distances = apart(shipped.networks[file], model, public_chests.views(_size(model)))
        assert max(distances.values()) < AGREED, (file, distances)


def _size(model: Any) -> int:
    return int(model.input_shape[1])


def _networks(bundle: Bundle) -> dict[str, Any]:
    """Return every network of a bundle as Keras builds it from the stored weights, by the file that serves."""
    manifest = bundle.manifest
    assert manifest.anomaly is not None
    members = {name: arrays for name, arrays in bundle.arrays.items() if name.split("-")[0] == "classifier"}
    classifiers = [compact_resnet(manifest.classifier.size, len(manifest.classes)) for _ in members]
    for classifier, arrays in zip(classifiers, members.values(), strict=True):
        assign(classifier, arrays)
    models: dict[str, Any] = {}
    for part in manifest.anomaly.parts:
        if part.kind in {"restoring", "one_class"}:
            build = restoring_autoencoder if part.kind == "restoring" else one_class
            models[part.file] = build(part.size, part.width)
    for file, model in models.items():
        assign(model, bundle.arrays[Path(file).stem])
    return models | {manifest.classifier.file: averaged([with_map(classifier) for classifier in classifiers])}


def test_an_average_says_the_mean_of_its_members_and_its_map_still_has_the_logits_as_mean() -> None:
    """Exported as one network, with every member's weights in 16 bits."""
    members = [with_map(lively(compact_resnet(32, 2), seed)) for seed in (1, 2, 3)]
    images, network = noise(3, 32), exported(averaged(members))
    said, alone = LiteRT(network)(images), [answers(member, images) for member in members]
    for name in ("logits", "map"):
        np.testing.assert_allclose(said[name], np.mean([one[name] for one in alone], axis=0), atol=AGREED)
    np.testing.assert_allclose(said["map"].mean((1, 2)), said["logits"], atol=AGREED)
    assert len(network) < 3 * sum(member.count_params() for member in members)
