"""The textbook networks are what the books say, and classes that exclude each other are learned with them."""

from pathlib import Path

import numpy as np
import pytest

from models.bundle.folder import open_bundle
from models.data.dataset import InMemory, LabelledImages
from models.images.shift import shift
from models.inference.reader import load
from models.networks.classifiers import CLASSIFIERS, classifier
from models.networks.plain_autoencoder import plain_autoencoder
from models.training.training_progress import PARTS, WHOLE, Whole
from models.training.whole_training import train
from tests.support.models.recipes import write_recipe

CLASSES = """
[[classes]]
name = "upright"
finding = ["STROKE-0", "99TEST", "Upright"]
site = ["PICTURE", "99TEST", "Picture"]

[[classes]]
name = "level"
finding = ["STROKE-1", "99TEST", "Level"]
site = ["PICTURE", "99TEST", "Picture"]

[[classes]]
name = "both"
finding = ["STROKE-2", "99TEST", "Cross"]
site = ["PICTURE", "99TEST", "Picture"]
"""
TRAINED = """
[classifier]
network = "textbook_28"
augmentation = "shift"
size = 28
epochs = 4
batch = 16
rate = 2e-3
averaging = 0.8
label_smoothing = 0.05

[baseline]
network = "textbook"
size = 32
epochs = 1
batch = 16
rate = 1e-3
"""


def drawn_strokes(count: int, split: str, seed: int) -> LabelledImages:
    """Return white strokes on black: upright, level, both."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 30, (count, 28, 28)).astype(np.uint8)
    labels = np.arange(count) % 3
    for image, label in zip(pixels, labels, strict=True):
        row, column = random.integers(10, 18, 2)
        if label != 1:
            image[4:24, column : column + 3] = 230
        if label != 0:
            image[row : row + 3, 4:24] = 230
    names = tuple(f"{split} {number}" for number in range(count))
    return LabelledImages(tuple(pixels), labels, names, names)


@pytest.fixture(scope="module")
def strokes() -> InMemory:
    """Return a data set of three classes."""
    sizes = {"train": 150, "val": 45, "test": 45}
    return InMemory({split: drawn_strokes(count, split, count + len(split)) for split, count in sizes.items()})


@pytest.fixture(scope="module")
def strokes_bundle(strokes: InMemory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle of three classes that exclude each other, with nothing but a classifier."""
    folder = tmp_path_factory.mktemp("strokes")
    recipe = write_recipe(folder / "strokes.toml", TRAINED, CLASSES)
    return train(recipe, strokes, folder / "bundle", 3, lambda *_: None)


def test_classes_that_exclude_each_other_share_one_probability(strokes_bundle: Path, strokes: InMemory) -> None:
    """The bundle serves without admission and anomaly score; at most one class reaches its threshold."""
    reader, images = load(strokes_bundle), strokes.images("test")
    probabilities = reader.probabilities(images.views(28))
    assert probabilities.shape == (45, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1.0, atol=1e-6)
    assert (probabilities.argmax(1) == images.labels).mean() > 0.9
    assert [known.threshold for known in reader.manifest.classes] == [0.5] * 3
    prediction = reader.read(images.pixels[0])
    assert prediction.admitted
    assert prediction.admission_limit is None
    assert prediction.anomaly_z is None
    assert prediction.probabilities.keys() == {"upright", "level", "both"}


def test_the_manifest_of_several_classes_says_accuracies(strokes_bundle: Path) -> None:
    """Of the classifier, of its seeds and of the baseline; there is no AUC of a class that is not single."""
    manifest = open_bundle(strokes_bundle).manifest
    assert manifest.classifier.activation == "softmax"
    assert manifest.measures["test"]["accuracy"] > 0.9
    assert 0 <= manifest.measures["test"]["baseline_accuracy"] <= 1
    (tried,) = manifest.measures["seeds"]
    assert tried["seed"] == 3
    assert tried["test"] == pytest.approx(manifest.measures["test"]["accuracy"])
    assert sorted(path.name for path in strokes_bundle.iterdir()) == [
        "ATTRIBUTION.txt",
        "classifier.npz",
        "classifier.tflite",
        "manifest.json",
        "training-curves.png",
        "training-log.csv",
        "training.json",
    ]


def test_the_textbook_networks_have_the_books_shapes() -> None:
    """Convolutions of 32, 64 (and 128), pooling after each, a dense layer of 128, dropout, one number a class."""
    for name, size, channels, widths in (("textbook_28", 28, 1, [32, 64]), ("textbook_224", 224, 3, [32, 64, 128])):
        model = classifier(name, size, 10)
        assert model.input_shape == (None, size, size, channels)
        assert model.output_shape == (None, 10)
        kinds = [type(layer).__name__ for layer in model.layers]
        assert kinds == [
            "InputLayer",
            *["Conv2D", "MaxPooling2D"] * len(widths),
            "Flatten",
            "Dense",
            "Dropout",
            "Dense",
        ]
        assert [layer.filters for layer in model.layers if type(layer).__name__ == "Conv2D"] == widths
        assert model.get_layer("dense").units == 128


def test_every_classifier_gives_logits_for_any_number_of_classes() -> None:
    """Untrained, on one grey image."""
    for name, build in CLASSIFIERS.items():
        size = {"textbook_28": 28, "textbook_224": 224}.get(name, 32)
        model = build(size, 2)
        said = np.asarray(model(np.zeros((1, *model.input_shape[1:]), np.float32), training=False))
        assert said.shape == (1, 2)


def test_the_plain_autoencoder_squeezes_and_paints_again() -> None:
    """As large as it was, in [0, 1], through as few numbers as were asked for."""
    model = plain_autoencoder(32, 7)
    rebuilt = np.asarray(model(np.random.default_rng(0).random((2, 32, 32, 1), np.float32), training=False))
    assert rebuilt.shape == (2, 32, 32, 1)
    assert rebuilt.min() >= 0
    assert rebuilt.max() <= 1
    assert model.get_layer("latent").output.shape == (None, 7)


def test_a_shift_moves_a_picture_and_leaves_it_what_it_is() -> None:
    """The stroke stays inside, of about the same weight; the same seed moves it the same way."""
    image = np.zeros((28, 28), np.float32)
    image[8:20, 12:16] = 1.0
    moved = [shift(image, np.random.default_rng(seed)) for seed in range(50)]
    assert all(one.shape == (28, 28) and one.dtype == np.float32 for one in moved)
    assert all(0.6 < one.sum() / image.sum() < 1.6 for one in moved)
    assert all(one[0].max() == 0 and one[-1].max() == 0 for one in moved)
    assert len({one.tobytes() for one in moved}) == 50
    np.testing.assert_array_equal(moved[3], shift(image, np.random.default_rng(3)))
    assert image.sum() == 48


def test_the_whole_is_told_in_shares_of_what_each_stage_costs() -> None:
    """A stage without a cost moves nothing; what was done before a kill counts at once."""
    told: list[tuple[str, int, int]] = []
    whole = Whole({"classifier": 3.0, "baseline": 1.0}, lambda *step: told.append(step))
    whole("images", 1, 3)
    whole("classifier", 12, 24)
    whole("classifier", 24, 24)
    whole("baseline", 1, 2)
    assert [done for stage, done, _ in told if stage == WHOLE] == [0, 375, 750, 875]
    assert ("images", 1, 3) in told
    assert PARTS == 1000
