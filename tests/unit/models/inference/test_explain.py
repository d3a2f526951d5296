"""An outline lies where the map points, in the image's own coordinates, and nowhere where it points nowhere."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from models import STARTER
from models.bundle.folder import open_bundle
from models.bundle.manifest import Classifier, Manifest
from models.inference.explain import (
    ANOMALY,
    LARGEST_SHARE,
    MOST_CELLS,
    MOST_POINTS,
    SMOOTHING,
    Outline,
    contributions,
    explained,
    heat_grid,
    strongest_region,
    weighed,
)
from models.inference.reader import Prediction

SIZES = [(512, 512), (1023, 767), (301, 1999), (37, 2140), (7, 5), (1, 1)]


def _spot(size: int, column: float, row: float, width: float, height: float = 1.0) -> np.ndarray:
    """Return a Gaussian bump at (column, row), in shares of the side; shape (size, size)."""
    middle = (np.arange(size) + 0.5) / size
    across, down = np.exp(-(((middle - column) / width) ** 2) / 2), np.exp(-(((middle - row) / width) ** 2) / 2)
    return np.asarray(height * np.outer(down, across), np.float32)


def _share(outline: Outline, rows: int, columns: int) -> float:
    return float(cv2.contourArea(np.array(outline, np.float32))) / (rows * columns)


def _middle(outline: Outline) -> tuple[float, float]:
    moments = cv2.moments(np.array(outline, np.float32))
    return moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]


@pytest.mark.parametrize(("rows", "columns"), SIZES)
@pytest.mark.parametrize("cells", [8, 16, 64, 128])
@pytest.mark.parametrize(("column", "row"), [(0.3, 0.6), (0.72, 0.25), (0.5, 0.5)])
def test_a_planted_spot_is_found_where_it_was_planted(
    rows: int, columns: int, cells: int, column: float, row: float
) -> None:
    """At any size and aspect ratio, to a quarter of a coarse cell, and as large as the bump at half its height."""
    outline = strongest_region(_spot(cells, column, row, 0.14), rows, columns)
    found = _middle(outline)
    assert found[0] / columns == pytest.approx(column, abs=0.035)
    assert found[1] / rows == pytest.approx(row, abs=0.035)
    expected = np.pi * 2 * np.log(2) * 0.14**2  # the disc inside which a Gaussian is above half of its height
    assert 0.8 * expected < _share(outline, rows, columns) < 1.5 * expected


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_an_outline_is_closed_short_and_inside_the_image(rows: int, columns: int) -> None:
    """Also of a ragged map, at the edges of the image."""
    for seed in range(20):
        map_ = np.random.default_rng(seed).normal(0, 0.1, (12, 9)).astype(np.float32)
        map_[seed % 12, seed % 9] += 6
        outline = strongest_region(map_, rows, columns)
        assert outline[0] == outline[-1]
        assert 4 <= len(outline) <= MOST_POINTS
        assert all(0.0 <= column <= columns and 0.0 <= row <= rows for column, row in outline)
        assert 0.001 < _share(outline, rows, columns) <= LARGEST_SHARE


def test_a_region_at_the_border_reaches_the_very_edge() -> None:
    """0.0 is the left edge of the first pixel, the number of columns the right edge of the last one."""
    map_ = np.zeros((8, 8), np.float32)
    map_[:, -2:] = 1.0
    columns, rows = zip(*strongest_region(map_, 99, 201), strict=True)
    assert max(columns) == 201.0
    assert (min(rows), max(rows)) == (0.0, 99.0)
    # six tenths of a step that is smoothed lie a quarter of a standard deviation inside of it
    assert min(columns) == pytest.approx((6 / 8 + SMOOTHING / 4) * 201, abs=4)


def test_the_stronger_of_two_spots_is_outlined() -> None:
    """The one that says more in all, not the one with the highest single place."""
    weaker = _spot(32, 0.2, 0.2, 0.05, height=1.0)
    stronger = _spot(32, 0.7, 0.7, 0.15, height=0.9)
    column, row = _middle(strongest_region(weaker + stronger, 600, 400))
    assert column == pytest.approx(0.7 * 400, abs=10)
    assert row == pytest.approx(0.7 * 600, abs=15)


@pytest.mark.parametrize(
    "map_",
    [
        np.zeros((8, 8), np.float32),
        np.full((8, 8), -3.0, np.float32),
        np.full((8, 8), 3.0, np.float32),
        3.0 + np.random.default_rng(1).normal(0, 0.01, (8, 8)),
    ],
    ids=["nothing", "all against", "all alike", "all nearly alike"],
)
def test_a_map_in_which_no_place_stands_out_has_no_region(map_: np.ndarray) -> None:
    """An outline around the whole image would say nothing."""
    assert strongest_region(map_, 480, 640) == ()


def test_a_broad_region_is_none() -> None:
    """What is seen nearly everywhere is seen nowhere: up to a third of the image there is an outline."""
    assert strongest_region(_spot(16, 0.5, 0.5, 0.5), 300, 300) == ()
    assert 0.2 < _share(strongest_region(_spot(16, 0.5, 0.5, 0.27), 300, 300), 300, 300) <= LARGEST_SHARE


def test_one_of_many_places_is_no_region() -> None:
    """Of nine spots, none holds much of what is said; of two one does, and the strongest is outlined."""
    places = [(column, row) for column in (0.15, 0.5, 0.85) for row in (0.15, 0.5, 0.85)]
    spots = [_spot(64, *place, 0.05, height=1 + number / 50) for number, place in enumerate(places)]
    assert strongest_region(np.sum(spots, axis=0), 100, 100) == ()
    assert _middle(strongest_region(np.sum(spots[::-1][:4:2], axis=0), 100, 100)) == pytest.approx((85, 85), abs=4)


def test_a_class_is_outlined_where_the_errors_agree() -> None:
    """Of two places that a class points to, the one that looks odd; what looks odd and says nothing for it is none."""
    said = _spot(8, 0.2, 0.5, 0.1) + _spot(8, 0.8, 0.5, 0.1, height=1.2)
    odd = _spot(64, 0.2, 0.5, 0.1) + _spot(64, 0.5, 0.1, 0.1)
    assert _middle(strongest_region(weighed(said, None), 100, 100)) == pytest.approx((80, 50), abs=3)
    assert _middle(strongest_region(weighed(said, odd), 100, 100)) == pytest.approx((20, 50), abs=3)


def test_a_class_and_errors_that_disagree_have_no_region() -> None:
    """A letter in a corner that speaks for a disease, and an odd place elsewhere: neither is shown."""
    disagreed = weighed(_spot(8, 0.1, 0.1, 0.1), _spot(64, 0.7, 0.6, 0.1))
    assert disagreed.max() == 0
    assert strongest_region(disagreed, 100, 100) == ()


def test_places_that_speak_against_are_no_region() -> None:
    """Only what is positive counts, however strong the rest."""
    column, _ = _middle(strongest_region(_spot(16, 0.25, 0.5, 0.1) - _spot(16, 0.75, 0.5, 0.1, height=9.0), 100, 100))
    assert column < 40


def test_a_single_noisy_pixel_of_a_fine_map_does_not_beat_a_region() -> None:
    """Fine maps are smoothed first."""
    map_ = _spot(128, 0.3, 0.3, 0.1)
    map_[100, 100] = 3.0
    assert _middle(strongest_region(map_, 128, 128)) == pytest.approx((38.4, 38.4), abs=3)


@pytest.mark.parametrize("map_", [np.zeros((0, 4)), np.zeros(4), np.array([[1.0, np.nan]]), np.array([[np.inf, 1.0]])])
def test_a_map_that_is_none_is_refused(map_: np.ndarray) -> None:
    """No outline is made from numbers that are none."""
    with pytest.raises(ValueError, match="finite"):
        strongest_region(map_, 10, 10)


def test_exclusive_classes_are_explained_by_their_difference() -> None:
    """What is added to every logit changes no softmax, so it changes no map; a sigmoid's logits stand alone."""
    maps = np.random.default_rng(2).normal(0, 1, (4, 4, 3)).astype(np.float32)
    exclusive, independent = (Classifier("c.tflite", 32, activation=kind) for kind in ("softmax", "sigmoid"))
    assert contributions(maps + 5, exclusive) == pytest.approx(contributions(maps, exclusive), abs=1e-5)
    assert contributions(maps, independent) is maps


def test_a_heat_grid_goes_from_nothing_to_the_strongest_place() -> None:
    """What speaks against counts as nothing; cells stay where they are."""
    grid = heat_grid(np.array([[-2.0, 0.0, 1.0], [2.0, 4.0, 3.0]]))
    assert grid is not None
    assert grid.tolist() == [[0, 0, 64], [128, 255, 191]]


@pytest.mark.parametrize("shape", [(128, 128), (200, 30), (1, 640)])
def test_a_large_map_becomes_a_small_grid(shape: tuple[int, int]) -> None:
    """With its strongest place at the same share of rows and columns."""
    map_ = np.zeros(shape, np.float32)
    rows, columns = shape
    map_[rows // 4, columns // 3] = 1.0
    grid = heat_grid(cv2.GaussianBlur(map_, (0, 0), 4))
    assert grid is not None
    assert max(grid.shape) <= MOST_CELLS
    row, column = np.unravel_index(grid.argmax(), grid.shape)
    assert (row + 0.5) / grid.shape[0] == pytest.approx((rows // 4 + 0.5) / rows, abs=1.0 / grid.shape[0])
    assert (column + 0.5) / grid.shape[1] == pytest.approx((columns // 3 + 0.5) / columns, abs=1.0 / grid.shape[1])


def test_a_map_in_which_nothing_speaks_for_it_has_no_grid() -> None:
    """There is nothing to draw."""
    assert heat_grid(np.full((8, 8), -1.0)) is None


def test_a_map_of_numbers_that_are_none_explains_nothing(lung: Manifest) -> None:
    """The reading goes on without it."""
    broken = np.full((4, 4, 1), np.nan, np.float32)
    prediction = Prediction(True, None, None, {"lung": 0.9}, None, None, broken, _spot(16, 0.5, 0.5, 0.1))
    assert set(explained(prediction, lung, 40, 50, {"lung", ANOMALY})) == {ANOMALY}
    assert explained(prediction, lung, 40, 50, {"lung"}) == {}


@pytest.fixture
def lung() -> Manifest:
    """Return the manifest of the shipped model with a class of another name."""
    manifest = open_bundle(STARTER).manifest
    return replace(manifest, classes=(replace(manifest.classes[0], name="lung"),))
