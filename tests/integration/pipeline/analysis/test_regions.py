"""Where a flagged finding was seen: in the coordinates of the stored image, whatever kind of image it is."""

import base64
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom import Dataset

from models import STARTER
from models.bundle.description import parsed_description
from models.inference.generator import GENERATOR, load_generator
from models.inference.importing import SampleImage, tried, write_imported
from node.dicom.samples.wrap import as_file, dx_dataset, wrap_as_dx
from node.domain.finding import Finding, Reading, Region
from node.domain.identifiers import SOPInstanceUID
from node.pipeline.analysis.read_in_child import StoredImage, read_images
from tests.support.houses.house import SUBJECT
from tests.support.models.foreign import description, patch_finder, patches

UID = SOPInstanceUID("1.2.3.1.1")
LEFT, RIGHT, TOP, BOTTOM = 250, 450, 60, 230
ROWS, COLUMNS = 333, 517


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle whose model finds bright patches, and says where."""
    folder, text = tmp_path_factory.mktemp("finder"), description().encode()
    content, described = patch_finder(), parsed_description(text)
    found = tried("m.onnx", content, described, [SampleImage(values) for values in patches(6)])
    write_imported(folder, "m.onnx", content, text, described, found, "2026-01-02T03:04:05+00:00")
    return folder


def _patched() -> np.ndarray:
    pixels = np.full((ROWS, COLUMNS), 100, np.uint16)
    pixels[TOP:BOTTOM, LEFT:RIGHT] = 900
    return pixels


def _read(path: Path, bundle: Path, *, max_frames: int = 1, heat: bool = False) -> Reading:
    return read_images([StoredImage(path, UID, max_frames)], bundle, heat=heat)[0]


def _finding(dataset: Dataset, folder: Path, bundle: Path, *, heat: bool = False) -> Finding:
    path = folder / "image.dcm"
    path.write_bytes(as_file(dataset))
    (finding,) = _read(path, bundle, heat=heat).findings
    return finding


def _box(region: Region) -> tuple[float, float, float, float]:
    """Return the least and the greatest column, and the least and the greatest row."""
    columns, rows = zip(*region, strict=True)
    return min(columns), max(columns), min(rows), max(rows)


def _of_colour(pixels: np.ndarray) -> Dataset:
    dataset = dx_dataset((pixels // 4).astype(np.uint8), SUBJECT)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.PixelData = np.repeat((pixels // 4).astype(np.uint8)[..., np.newaxis], 3, axis=-1).tobytes() + b"\0"
    return dataset


def _of_palette(pixels: np.ndarray) -> Dataset:
    dataset = dx_dataset((pixels > 500).astype(np.uint8), SUBJECT)
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    for colour in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        entries = np.array([0x2000, 0xF000] + [0] * 254, "<u2").tobytes()
        setattr(dataset, f"{colour}PaletteColorLookupTableData", entries)
    return dataset


def _oblong(pixels: np.ndarray) -> Dataset:
    dataset = dx_dataset(pixels, SUBJECT)
    dataset.PixelAspectRatio = [3, 1]
    return dataset


KINDS: dict[str, Callable[[np.ndarray], Dataset]] = {
    "grey of 16 bits": lambda pixels: dx_dataset(pixels, SUBJECT),
    "grey of 8 bits": lambda pixels: dx_dataset((pixels // 4).astype(np.uint8), SUBJECT),
    "windowed": lambda pixels: dx_dataset(pixels, SUBJECT, window=(500.0, 900.0)),
    "MONOCHROME1": lambda pixels: dx_dataset(np.uint16(1000) - pixels, SUBJECT, inverted=True),
    "colour": _of_colour,
    "palette": _of_palette,
    "oblong pixels": _oblong,
}


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize("kind", KINDS)
def test_the_region_is_round_the_patch(finder: Path, tmp_path: Path, kind: str) -> None:
    """In columns and rows of the stored pixels, to half a cell of the map: 32 columns, 21 rows."""
    finding = _finding(KINDS[kind](_patched()), tmp_path, finder)

    assert finding.present
    assert finding.region[0] == finding.region[-1]
    assert _box(finding.region)[:2] == pytest.approx((LEFT, RIGHT), abs=40)
    assert _box(finding.region)[2:] == pytest.approx((TOP, BOTTOM), abs=25)
    assert finding.heat is None


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_region_of_a_turned_image_is_turned_with_it(finder: Path, tmp_path: Path, turns: int) -> None:
    """A detector lies any way round: coordinates are those of the pixels as they are stored."""
    upright = np.array(_finding(dx_dataset(_patched(), SUBJECT), tmp_path, finder).region)
    turned = _finding(dx_dataset(np.rot90(_patched(), turns).copy(), SUBJECT), tmp_path, finder).region
    for width in (COLUMNS, ROWS, COLUMNS)[:turns]:
        upright = np.stack([upright[:, 1], width - upright[:, 0]], axis=1)  # a quarter against the clock

    assert _box(turned) == pytest.approx(_box([tuple(point) for point in upright]), abs=2)


@pytest.mark.parametrize(("rows", "columns"), [(16, 160), (160, 16), (16, 17)])
def test_an_image_of_an_odd_size_has_a_region_inside_itself(
    finder: Path, tmp_path: Path, rows: int, columns: int
) -> None:
    """As long as is read, as high, and as few pixels as are (fewer are refused before any network sees them)."""
    pixels = np.full((rows, columns), 100, np.uint16)
    pixels[: max(rows // 2, 1), : max(columns // 2, 1)] = 900
    left, right, top, bottom = _box(_finding(dx_dataset(pixels, SUBJECT), tmp_path, finder).region)

    assert 0 <= left < right <= columns
    assert 0 <= top < bottom <= rows
    assert right == pytest.approx(max(columns // 2, 1), abs=max(0.1 * columns, 0.5))


def test_each_frame_has_its_own_region(finder: Path, tmp_path: Path) -> None:
    """And the image as a whole that of the frame whose score it has."""
    frames = np.stack([_patched(), _patched()[:, ::-1], np.full((ROWS, COLUMNS), 100, np.uint16)])
    dataset = dx_dataset(frames[0], SUBJECT)
    dataset.NumberOfFrames, dataset.PixelData = 3, frames.tobytes()
    (tmp_path / "image.dcm").write_bytes(as_file(dataset))
    reading = _read(tmp_path / "image.dcm", finder, max_frames=3)
    first, second, third = (frame.findings[0] for frame in reading.frames)

    assert _box(first.region)[:2] == pytest.approx((LEFT, RIGHT), abs=40)
    assert _box(second.region)[:2] == pytest.approx((COLUMNS - RIGHT, COLUMNS - LEFT), abs=40)
    assert not third.present
    assert third.region == ()
    assert reading.findings[0].region in {first.region, second.region}


def test_only_what_is_flagged_has_a_region(finder: Path, tmp_path: Path) -> None:
    """A map of what was not found says nothing that a person should look at."""
    finding = _finding(dx_dataset(np.full((ROWS, COLUMNS), 100, np.uint16), SUBJECT), tmp_path, finder, heat=True)

    assert not finding.present
    assert (finding.region, finding.heat) == ((), None)


def test_what_is_seen_all_over_an_image_is_seen_nowhere(finder: Path, tmp_path: Path) -> None:
    """Flagged, without a region, and it says so; what has a region, or is not flagged, does not."""
    pixels = _patched()
    pixels[10:-10, 10:-10] = 900
    everywhere = _finding(dx_dataset(pixels, SUBJECT), tmp_path, finder)

    assert everywhere.present
    assert (everywhere.region, everywhere.spread) == ((), True)
    assert not _finding(dx_dataset(_patched(), SUBJECT), tmp_path, finder).spread


def test_the_grid_of_a_heat_map_comes_where_it_is_asked_for(finder: Path, tmp_path: Path) -> None:
    """The map of 8 x 8 as bytes: 255 where the patch is brightest, 0 far from it."""
    heat = _finding(dx_dataset(_patched(), SUBJECT), tmp_path, finder, heat=True).heat
    assert heat is not None
    cells = np.frombuffer(base64.b64decode(heat.cells), np.uint8).reshape(heat.rows, heat.columns)

    assert cells.shape == (8, 8)
    row, column = np.unravel_index(cells.argmax(), cells.shape)
    assert (LEFT, TOP) < ((column + 0.5) * COLUMNS / 8, (row + 0.5) * ROWS / 8) < (RIGHT, BOTTOM)
    assert cells.max() == 255
    assert cells[-1, 0] == 0


def _with_opacity(image: np.ndarray, column: float, row: float) -> np.ndarray:
    """Return a chest with a dense round spot of an eighth of its side, as 12 bits."""
    size = 512
    chest = cv2.resize(image, (size, size))
    down, across = np.mgrid[0:size, 0:size] / size
    distance = ((across - column) ** 2 + (down - row) ** 2) / 0.08**2
    strength = 0.45 - 0.45 * np.tanh(2 * (distance - 1))
    dense = np.clip(cv2.GaussianBlur(chest, (0, 0), size / 12) + 0.35, 0, 1)
    painted = chest * (1 - strength) + strength * np.maximum(dense, chest)
    return np.asarray(np.round(painted * 4095), np.uint16)


def test_the_shipped_models_anomaly_region_lies_on_a_painted_opacity(tmp_path: Path) -> None:
    """In lungs that its generator painted, of nobody; MONOCHROME1 in half of them.

    The shipped classifier knows real pneumonia and is not asked: of spots like these it flags one in ten.
    """
    place, hits, unusual = (0.3, 0.4), 0, 0
    for number, chest in enumerate(load_generator(GENERATOR).images("normal", 12, 3)):
        pixels, inverted = _with_opacity(chest, *place), number % 2 == 1
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(wrap_as_dx(np.uint16(4095) - pixels if inverted else pixels, SUBJECT, inverted=inverted))
        anomaly = _read(path, STARTER).anomaly
        if anomaly is None or not anomaly.unusual:
            continue
        unusual += 1
        at = tuple(share * 512 for share in place)
        hits += cv2.pointPolygonTest(np.array(anomaly.region, np.float32), at, measureDist=False) >= 0

    assert unusual >= 4
    assert hits >= 0.8 * unusual
