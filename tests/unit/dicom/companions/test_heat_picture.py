"""The picture of a heat map: never larger than it may be, the map where it belongs, and words that can be read."""

import warnings

import numpy as np
import pytest

from node.dicom.companions.heat_picture import LONGEST_SIDE, Legend, Picture, Shown, drawable, heat_picture

_LEGEND = Legend(
    ("Pneumonia: flagged, score 0.87 (threshold 0.26)", "Derived by AI."), "Colour: more", "nothing", "most"
)
_NOTHING = np.zeros((8, 8), np.uint8)


def _flat(rows: int, columns: int, value: float = 1.0) -> Shown:
    """Return an image of one value, which is shown as black."""
    return Shown(np.full((rows, columns), value, np.float32), None, inverted=False)


def _hot(cells: tuple[int, int], row: int, column: int) -> np.ndarray:
    heat = np.zeros(cells, np.uint8)
    heat[row, column] = 255
    return heat


def _image_of(picture: Picture, empty: Picture) -> np.ndarray:
    """Return how much redder than without the map each place is; the legend is the same in both."""
    return picture[..., 0].astype(int) - empty[..., 0].astype(int)


@pytest.mark.parametrize("rows", [1, 2, 37, 500, 3000])
@pytest.mark.parametrize("columns", [1, 3, 44, 512, 2500])
def test_a_picture_is_large_enough_to_be_seen_and_never_too_large(rows: int, columns: int) -> None:
    """Of one row, one column, a few pixels or a whole detector."""
    picture = heat_picture(_flat(rows, columns), _NOTHING, (), _LEGEND)

    assert (picture.dtype, picture.shape[2]) == (np.uint8, 3)
    assert max(picture.shape) <= LONGEST_SIDE
    assert picture.shape[1] >= 512


@pytest.mark.parametrize(("rows", "columns"), [(900, 900), (1, 700), (60, 512), (2000, 2500)])
@pytest.mark.parametrize(("row", "column"), [(1, 6), (5, 2)])
def test_the_strongest_place_is_the_reddest(rows: int, columns: int, row: int, column: int) -> None:
    """Wherever it is, whatever the image's proportions."""
    shown = _flat(rows, columns)
    picture = heat_picture(shown, _hot((8, 8), row, column), (), _LEGEND)
    red = _image_of(picture, heat_picture(shown, _NOTHING, (), _LEGEND))
    at_row, at_column = (places.mean() + 0.5 for places in np.nonzero(red == red.max()))
    height = max(16, round(picture.shape[1] * rows / columns))

    assert at_column / picture.shape[1] == pytest.approx((column + 0.5) / 8, abs=0.02)
    assert at_row / height == pytest.approx((row + 0.5) / 8, abs=0.05)


def test_an_image_of_oblong_pixels_is_shown_in_the_proportions_of_the_body() -> None:
    """Pixels twice as high as wide make an image twice as high."""
    one, two = (
        heat_picture(Shown(np.ones((300, 600), np.float32), None, inverted=False, aspect=aspect), _NOTHING, (), _LEGEND)
        for aspect in (1.0, 2.0)
    )

    assert two.shape[0] - one.shape[0] == pytest.approx(300, abs=2)


def test_a_window_cuts_as_the_standard_says() -> None:
    """PS3.3 C.11.2.1.2.1: center 100 and width 101 reach from 49.5 to 149.5; MONOCHROME1 turns it over."""
    values = np.repeat(np.array([[0.0, 49.5, 99.5, 149.5, 200.0]], np.float32), 5, axis=0).repeat(120, 0).repeat(120, 1)
    plain, turned = (
        heat_picture(Shown(values, (100.0, 101.0), inverted=inverted), _NOTHING, (), _LEGEND)[100, 60::120, 0]
        for inverted in (False, True)
    )

    assert plain[:5].tolist() == [0, 0, 128, 255, 255]
    assert turned[:5].tolist() == [255, 255, 128, 0, 0]


@pytest.mark.parametrize("value", [0.0, -1024.0, 1e30])
def test_an_image_of_one_value_is_shown_without_a_complaint(value: float) -> None:
    """There is nothing to divide by."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        heat_picture(_flat(50, 50, value), _NOTHING, (), _LEGEND)


def test_the_region_is_drawn_round_what_it_is_of() -> None:
    """A white line along the polyline, in the picture's scale; inside it nothing is covered."""
    shown = _flat(600, 600)
    corners = [(150.5, 150.5), (450.5, 150.5), (450.5, 300.5), (150.5, 300.5), (150.5, 150.5)]  # middles of pixels
    picture = heat_picture(shown, _NOTHING, corners, _LEGEND)
    white = picture[..., 0] > 200

    assert white[150, 200:400].mean() > 0.9
    assert white[200:280, 450].all()
    assert not white[160:290, 160:440].any()


def test_the_map_lets_the_image_be_seen() -> None:
    """Even under its strongest place."""
    values = np.tile(np.array([0.0, 1.0], np.float32), (600, 300))
    values = np.repeat(np.repeat(values[:60, :60], 10, 0), 10, 1)
    picture = heat_picture(Shown(values, None, inverted=False), np.full((8, 8), 255, np.uint8), (), _LEGEND)

    assert int(picture[300, :600].max(0).astype(int).sum() - picture[300, :600].min(0).astype(int).sum()) > 200


def test_below_the_image_stand_words_and_the_colours() -> None:
    """From what means nothing to what means most."""
    picture = heat_picture(_flat(600, 600), _NOTHING, (), _LEGEND)
    legend = picture[600:]
    redder = legend[..., 0].astype(int) - legend[..., 2]

    assert (legend > 200).all(2).any()
    assert redder.max() > 60
    assert np.argwhere(redder == redder.max())[:, 1].min() > 0.7 * legend.shape[1]


def test_only_letters_of_the_font_can_be_drawn() -> None:
    """Others would come out as boxes."""
    assert drawable("Pneumonia: flagged, score 0.87 (threshold 0.26) - not for diagnosis.")
    assert not drawable("肺炎")
    assert not drawable("Lungenentzündung und Пневмония")
