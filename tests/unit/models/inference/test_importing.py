"""A model from elsewhere is tried against its description, refused in words where it does not fit, and served."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from models.bundle.folder import open_bundle
from models.images.preprocess import network_input
from models.inference.explain import ANOMALY, Explanation, explained
from models.inference.importing import ImportRefused, SampleImage, tried, write_imported
from models.inference.reader import Prediction, Reader, load
from models.strict import FormError
from tests.support.models.foreign import (
    CLASS,
    INPUT,
    LOGITS,
    SIZE,
    description,
    keras_litert,
    node,
    onnx_file,
    patch_finder,
)
from tests.unit.models.inference.imported import MEAN, PLAIN, SAMPLE, described, said_of, tried_on

LIKELY = '[output]\nvalues = "probabilities"\n'
NORMAL = CLASS.replace("opacity", "clear").replace("Abscess", "Normal")


def _explained(
    reader: Reader, values: np.ndarray, window: tuple[float, float] | None = None, *, inverted: bool = False
) -> dict[str, Explanation]:
    """Return where each answer about an image came from, whether the image is admitted or not."""
    see = partial(network_input, values, window, inverted)
    maps = reader.maps(see(reader.manifest.classifier.size)[np.newaxis])
    errors = reader.error_maps(lambda size: see(size)[np.newaxis])
    first = [None if of_images is None else of_images[0] for of_images in (maps, errors)]
    prediction = Prediction(True, None, None, {}, None, None, *first)
    names = {ANOMALY, *(known.name for known in reader.manifest.classes)}
    return explained(prediction, reader.manifest, *values.shape, names)


def _served(folder: Path, content: bytes, text: str, name: str = "classifier.onnx") -> Reader:
    found = tried(name, content, described(text), SAMPLE)
    write_imported(folder, name, content, text.encode(), described(text), found, "2026-01-02T03:04:05+00:00")
    return load(folder)


def test_an_imported_onnx_model_is_served_like_our_own(tmp_path: Path) -> None:
    """Classes, codes and threshold of the description; the numbers that the network computes; a map."""
    reader = _served(tmp_path, patch_finder(), description())
    plain, patched = (reader.read(image.values) for image in SAMPLE[:2])
    assert plain.admitted
    assert plain.admission_score is None
    assert plain.anomaly_z is None
    assert plain.probabilities["opacity"] < 0.5
    assert patched.probabilities["opacity"] > 0.6
    (known,) = reader.manifest.classes
    assert (known.name, known.finding[0], known.threshold) == ("opacity", "128477000", 0.6)
    assert reader.manifest.data is not None
    assert reader.manifest.data.licence == "none needed"


def test_what_the_model_said_of_its_sample_stands_in_the_manifest(tmp_path: Path) -> None:
    """Range and how often the finding is present; and no admission from six images."""
    manifest = _served(tmp_path, patch_finder(), description()).manifest
    said = manifest.measures["sample"]
    assert (said["images"], said["different_images"]) == (6, 6)
    assert said["classes"]["opacity"]["share_reaching_threshold"] == 0.5
    assert 0 <= said["classes"]["opacity"]["lowest"] < said["classes"]["opacity"]["highest"] <= 1
    assert manifest.admission is None
    assert open_bundle(tmp_path).manifest.files.keys() == {"classifier.onnx", "description.toml", "ATTRIBUTION.txt"}


def test_the_input_is_made_as_described(tmp_path: Path) -> None:
    """Channels, range, mean and deviation in either layout: the network hands back what it sees."""
    values = SAMPLE[1].values
    scaled = "[input]\nsize = 32\nchannels = 3\nlow = 0\nhigh = 255\nmean = [10, 20, 30]\ndeviation = [2, 4, 8]\n"
    nodes = [node("ReduceMean", "image", "said", axes=[1, 2], keepdims=0)]
    classes = CLASS + CLASS.replace("opacity", "b") + CLASS.replace("opacity", "c")
    seen = []
    for number, layout in enumerate(("NHWC", "NCHW")):
        shape = ("images", 32, 32, 3) if layout == "NHWC" else ("images", 3, 32, 32)
        nodes = [node("ReduceMean", "image", "said", axes=[1, 2] if layout == "NHWC" else [2, 3], keepdims=0)]
        content = onnx_file(nodes, {"said": ("images", 3)}, image=shape)
        text = description(output=PLAIN, read=f'{scaled}layout = "{layout}"\n', classes=classes)
        folder = tmp_path / str(number)
        folder.mkdir()
        reader = _served(folder, content, text)
        grey = np.full((1, SIZE, SIZE, 1), 0.4, np.float32)
        seen.append(reader.logits(grey)[0])
        assert set(reader.read(values).probabilities) == {"opacity", "b", "c"}
    assert seen[0] == pytest.approx([(102 - 10) / 2, (102 - 20) / 4, (102 - 30) / 8], abs=1e-3)
    assert seen[1] == pytest.approx(seen[0], abs=1e-3)


def test_of_exclusive_numbers_the_chosen_ones_are_told(tmp_path: Path) -> None:
    """A model that says normal or ill: only ill is a finding, and its probability is the softmax's."""
    content = said_of(
        node("Unsqueeze", "mean one", "column"), node("Mul", "column slopes", "said"), width=2, constants={
        "one": np.array([1], np.int64), "slopes": np.array([[1.0, -3.0]], np.float32)
    })  # fmt: skip
    both = description(output='[output]\nvalues = "logits"\nexclusive = true\n', classes=NORMAL + CLASS)
    one = description(output='[output]\nvalues = "logits"\nexclusive = true\nplaces = [1]\n')
    (tmp_path / "both").mkdir()
    (tmp_path / "one").mkdir()
    whole, told = _served(tmp_path / "both", content, both), _served(tmp_path / "one", content, one)
    for image in SAMPLE:
        everything, chosen = whole.read(image.values).probabilities, told.read(image.values).probabilities
        assert sum(everything.values()) == pytest.approx(1)
        assert chosen == pytest.approx({"opacity": everything["opacity"]}, abs=1e-9)


def test_an_imported_litert_model_is_served_like_our_own(tmp_path: Path) -> None:
    """Built from Keras; without a map there is no region."""
    text = description(
        output='[output]\nvalues = "logits"\nexclusive = true\n',
        read=f"[input]\nsize = {SIZE}\nchannels = 3\n",
        classes=NORMAL + CLASS,
    )
    reader = _served(tmp_path, keras_litert(), text, "classifier.tflite")
    probabilities = reader.read(SAMPLE[0].values).probabilities
    assert set(probabilities) == {"clear", "opacity"}
    assert sum(probabilities.values()) == pytest.approx(1)
    assert _explained(reader, SAMPLE[0].values) == {}


def test_admission_is_fitted_where_the_sample_is_large_enough(tmp_path: Path) -> None:
    """On 200 different images; a picture of another kind is then refused."""
    random = np.random.default_rng(3)
    sample = [SampleImage(_striped(random)) for _ in range(200)]
    found = tried_on(patch_finder(), sample=sample)
    assert found.admission is not None
    write_imported(tmp_path, "m.onnx", patch_finder(), b"", described(description()), found, "2026-01-02T03:04:05Z")
    reader = load(tmp_path)
    kept = [reader.read(_striped(random)).admitted for _ in range(20)]
    assert sum(kept) >= 19
    assert not reader.read(random.normal(0, 1, (60, 50))).admitted
    twice = tried_on(patch_finder(), sample=sample[:100] * 2)
    assert (twice.images, twice.admission) == (100, None)


def _striped(random: np.random.Generator) -> np.ndarray:
    columns = np.sin(np.arange(64) / random.uniform(4, 6))
    return np.tile(columns, (48, 1)) + random.normal(0, 0.1, (48, 64))


@pytest.mark.parametrize(
    ("content", "text", "message"),
    [
        (
            onnx_file([node("ReduceMean", "image", "said", axes=[1, 2], keepdims=0)], {"said": ("images", 32)}),
            description(output=PLAIN),
            r"'said' of shape \(1, 32\).*described: an input of shape \(1, 1, 32, 32\), and 1 class in logits",
        ),
        (said_of(node("Log", "mean", "said")), description(output=PLAIN), "finite"),
        (
            said_of(node("Add", "mean mean", "said")),
            description(output=LIKELY),
            r"'said' is described as probabilities",
        ),
        (
            said_of(node("Neg", "mean", "said")),
            description(output=PLAIN, read="[input]\nsize = 48\nlayout = 'NCHW'\n"),
            r"described: an input of shape \(1, 1, 48, 48\)",
        ),
        (
            said_of(node("RandomNormalLike", "mean", "noise"), node("Add", "mean noise", "said")),
            description(output=PLAIN),
            "'said' differs between two runs on image 1 of the sample",
        ),
        (said_of(node("Neg", "mean", "said")), description(), "has no output 'logits'; it has said"),
        (
            said_of(node("Neg", "mean", "said")),
            description(output=PLAIN, read=INPUT + 'name = "pixels"\n'),
            "has no input 'pixels'; it has image",
        ),
        (
            said_of(node("Cast", "mean", "said", to=TensorProto.DOUBLE), kind=TensorProto.DOUBLE),
            description(output=PLAIN),
            "'said' holds float64, where float32 is needed",
        ),
    ],
)
def test_a_model_that_does_not_do_as_described_is_refused(content: bytes, text: str, message: str) -> None:
    """Naming the output, its shape, and what was described."""
    with pytest.raises(ImportRefused, match=message):
        tried_on(content, text)


def test_exclusive_probabilities_must_add_up_to_one() -> None:
    """Each may be in its range, and the description wrong all the same."""
    content = onnx_file(
        [node("AveragePool", "image", "parts", kernel_shape=[32, 16]), node("Sigmoid", "parts", "said")],
        {"said": ("images", 1, 1, 17)},
    )
    classes = "".join(CLASS.replace("opacity", f"part{number}") for number in range(17))
    text = description(output=LIKELY + "exclusive = true\n", classes=classes)
    with pytest.raises(ImportRefused, match=r"adds up to .* for image 1 of the sample, not to 1"):
        tried_on(content, text)
    assert tried_on(content, description(output=LIKELY, classes=classes)).probabilities.shape == (6, 17)


def test_a_map_that_does_not_add_up_to_the_logits_explains_nothing() -> None:
    """It is refused with both numbers."""
    shown = node("Transpose", "image", "map", perm=[0, 2, 3, 1])
    doubled = [MEAN, node("Add", "mean mean", "logits"), shown]
    content = onnx_file(doubled, {"logits": ("images",), "map": ("images", 32, 32, 1)})
    with pytest.raises(ImportRefused, match="does not add up to them"):
        tried_on(content)
    with pytest.raises(ImportRefused, match=r"gives the map 'logits' of shape \(1,\)"):
        tried_on(content, description(output=LOGITS.replace('map = "map"', 'map = "logits"')))


def test_an_output_without_an_axis_for_images_is_refused() -> None:
    """One number for a whole batch is nobody's."""
    content = onnx_file([node("ReduceMean", "image", "said", keepdims=0)], {"said": ()})
    with pytest.raises(ImportRefused, match="'said' is a single number"):
        tried_on(content, description(output=PLAIN))


def test_a_sample_without_an_image_tries_nothing() -> None:
    """And so imports nothing."""
    with pytest.raises(ImportRefused, match="no image in the sample"):
        tried_on(patch_finder(), sample=[])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version", "edition", "does not know edition"),
        ('values = "logits"', 'values = "scores"', r"output\.values is 'scores', where logits or probabilities"),
        ('name = "opacity"', 'name = "anomaly"', "another name than anomaly"),
        ('"patch-finder"', '" "', r"model\.name"),
        ("[data]", "[data", "this is not TOML"),
        ("size = 32", 'size = "32"', r"input\.size"),
        ('values = "logits"', 'values = "probabilities"', r"output\.map"),
        ('values = "logits"', 'values = "logits"\nexclusive = true', r"output\.exclusive"),
        ('licence = "none needed"\n', "", "lacks licence"),
    ],
)
def test_a_description_that_is_none_is_refused_by_key(old: str, new: str, message: str) -> None:
    """Before the model is looked at."""
    assert old in description()
    with pytest.raises(FormError, match=message):
        described(description().replace(old, new))


def test_a_region_is_outlined_where_the_imported_map_points(tmp_path: Path) -> None:
    """In the coordinates of the image as it came, of whatever shape; and the same for its inverted twin."""
    reader = _served(tmp_path, patch_finder(), description())
    values = np.full((333, 517), 100.0)
    values[60:150, 300:450] = 900.0
    found = _explained(reader, values)["opacity"]
    assert found.map.shape == (8, 8)
    columns, rows = zip(*found.outline, strict=True)
    assert (min(columns), max(columns)) == pytest.approx((300, 450), abs=40)
    assert (min(rows), max(rows)) == pytest.approx((60, 150), abs=25)
    for twin, window, inverted in [(1000.0 - values, None, True), (values * 4 - 7, (2000.0, 4000.0), False)]:
        assert _explained(reader, twin, window, inverted=inverted)["opacity"].outline == found.outline
    assert _explained(reader, np.zeros((40, 40)))["opacity"].outline == ()


def test_the_shipped_model_explains_its_class_and_its_anomaly_score() -> None:
    """Each with an array and an outline inside the image; the same for the inverted twin of twelve bits."""
    from models import STARTER  # noqa: PLC0415 - a path, for this test alone

    random = np.random.default_rng(5)
    values = np.clip(2000 + 40 * random.normal(size=(190, 230)).cumsum(0).cumsum(1), 0, 4095).round()
    reader = load(STARTER)
    found, twin = _explained(reader, values), _explained(reader, 4095 - values, inverted=True)
    assert set(found) == {"pneumonia", "anomaly"}
    assert np.median(found["anomaly"].map) == pytest.approx(0, abs=1e-6)
    for name, explanation in found.items():
        assert twin[name].outline == explanation.outline != ()
        assert all(0 <= column <= 230 and 0 <= row <= 190 for column, row in explanation.outline)


def test_the_example_of_the_manual_works_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its network is built, its description read, and both fit."""
    manual = (Path(__file__).parents[4] / "docs" / "bring-your-own-model.md").read_text(encoding="utf-8")
    code, text = (re.findall(rf"```{kind}\n(.*?)```", manual, flags=re.DOTALL)[0] for kind in ("python", "toml"))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "the manual's example", "exec"), {})  # noqa: S102 - our own manual
    content = (tmp_path / "theirs.onnx").read_bytes()
    assert tried_on(content, text).probabilities == pytest.approx(tried_on(patch_finder()).probabilities)
    assert described(text) == described(description())
