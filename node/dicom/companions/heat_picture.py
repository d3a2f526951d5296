"""A heat map as a picture: the image in its window, the map over it, and below both what it is.

It knows arrays and lines of text, no dataset. The picture has square pixels, as a viewer shows the image. Legend and
words stand beside the image and never on it, so that they hide nothing.

The letters are those of Pillow's own font (Aileron, CC0), which knows Latin ones; whoever asks for others has to ask
first whether they can be drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

LONGEST_SIDE = 1024
"""Rows or columns of a picture, at most."""

_SHORTEST, _THINNEST = 512, 16  # pixels: of the longer side of an image that is enlarged, and of the shorter of any
_STRONGEST = 0.6  # how much of a pixel the colour of the strongest place takes; nothing is covered wholly
_REDDEST = 230  # of 256 colours; beyond it they get dark again
_TAILS = (0.5, 99.5)  # percentiles between which an image without a window is shown
_MARGIN = 8
_BAR_ROWS = 16
_WHITE = (255, 255, 255)

Grey = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Shown:
    """An image as it is to be shown."""

    values: Grey  #: shape (rows, columns)
    window: tuple[float, float] | None  #: center and width of the LINEAR function; None: its whole range
    inverted: bool  #: low values are shown bright
    aspect: float = 1.0  #: height of a pixel by its width


@dataclass(frozen=True, slots=True)
class Legend:
    """What stands below the image, in words that can be drawn."""

    lines: Sequence[str]
    scale: str  #: what the colours stand for
    lowest: str
    highest: str


def heat_picture(
    shown: Shown, heat: npt.NDArray[np.uint8], outline: Sequence[tuple[float, float]], legend: Legend
) -> Picture:
    """Return a heat map as a picture.

    Parameters
    ----------
    shown
        The image.
    heat
        Shape (h, w), 0 nothing to 255 the strongest place; its cells divide the image evenly.
    outline
        (column, row) in pixels of the image, drawn as a thin line; may be empty.
    legend
        What is said of it.

    Returns
    -------
    numpy.ndarray
        Shape (rows, columns, 3), uint8 RGB, `LONGEST_SIDE` at most along either.
    """
    columns, _ = _fitting(shown, LONGEST_SIDE - _THINNEST)
    width = max(columns, _SHORTEST)
    strip = _strip(legend, width)
    columns, rows = _fitting(shown, LONGEST_SIDE - len(strip))
    image = _outlined(_over(_grey(shown, columns, rows), heat), shown.values.shape, outline)
    beside = width - columns
    image = np.pad(image, ((0, 0), (beside // 2, beside - beside // 2), (0, 0)))
    return np.concatenate([image, strip])


def drawable(text: str) -> bool:
    """Return whether the font has a letter for all of a text."""
    return all(character == " " or _letter(character) != _letter("\uffff") for character in text)


def _fitting(shown: Shown, most_rows: int) -> tuple[int, int]:
    """Return columns and rows of the image in the picture: as it is, as large as fits, or as small as can be seen."""
    rows, columns = shown.values.shape[0] * shown.aspect, float(shown.values.shape[1])
    longer = max(rows, columns)
    scale = max(_SHORTEST / longer, 1.0)
    scale = min(scale, LONGEST_SIDE / columns, most_rows / rows)
    return (
        min(max(round(columns * scale), _THINNEST), LONGEST_SIDE),
        min(max(round(rows * scale), _THINNEST), most_rows),
    )


def _grey(shown: Shown, columns: int, rows: int) -> Picture:
    """Return the image in its window, three equal samples a pixel."""
    small = _resized(shown.values, columns, rows)
    low, high = _range(small, shown.window)
    share = np.clip((small - low) / max(high - low, 1e-6), 0.0, 1.0)
    grey = np.round(255 * (1.0 - share if shown.inverted else share)).astype(np.uint8)
    return np.repeat(grey[..., np.newaxis], 3, axis=-1)


def _resized(values: Grey, columns: int, rows: int) -> Grey:
    """Return values by area along the axes that shrink, then linearly along those that grow."""
    shrunk = cv2.resize(
        np.ascontiguousarray(values, np.float32),
        (min(columns, values.shape[1]), min(rows, values.shape[0])),
        interpolation=cv2.INTER_AREA,
    )
    return np.asarray(cv2.resize(shrunk, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)


def _range(values: Grey, window: tuple[float, float] | None) -> tuple[float, float]:
    if window is None:
        low, high = np.percentile(values, _TAILS)
        return float(low), float(high)
    center, width = window
    half = max(width - 1.0, 0.0) / 2.0  # PS3.3 C.11.2.1.2.1
    return center - 0.5 - half, center - 0.5 + half


def _over(image: Picture, heat: npt.NDArray[np.uint8]) -> Picture:
    """Return the image with the map over it, the more of its colour the stronger a place is."""
    rows, columns = image.shape[:2]
    strength = np.clip(_resized(heat.astype(np.float32) / np.float32(255), columns, rows), 0.0, 1.0)
    return _blended(image, strength)


def _blended(image: Picture, strength: Grey) -> Picture:
    colours = _colours()[np.round(strength * _REDDEST).astype(np.uint8)]
    share = (_STRONGEST * strength)[..., np.newaxis]
    return np.asarray(np.round(image * (1 - share) + colours * share), np.uint8)


@cache
def _colours() -> Picture:
    """Return 256 colours from blue by green to red, as RGB, shape (256, 3)."""
    steps = np.arange(256, dtype=np.uint8)[np.newaxis]
    return np.ascontiguousarray(cv2.applyColorMap(steps, cv2.COLORMAP_TURBO)[0, :, ::-1])


def _outlined(image: Picture, shape: tuple[int, ...], outline: Sequence[tuple[float, float]]) -> Picture:
    if not outline:
        return image
    scale = np.array([image.shape[1] / shape[1], image.shape[0] / shape[0]])
    # 0.0 is the left edge of the first pixel, and OpenCV's 0.0 is its middle
    points = np.round((np.array(outline) * scale - 0.5) * 16).astype(np.int32)
    drawn = np.ascontiguousarray(image)
    cv2.polylines(drawn, [points], isClosed=True, color=_WHITE, lineType=cv2.LINE_AA, shift=4)
    return drawn


def _strip(legend: Legend, width: int) -> Picture:
    """Return what stands below the image: the lines, what the colours mean, and the colours."""
    size = max(13, width // 52)
    font, step = _font(size), round(1.35 * size)
    lines = [line for text in (*legend.lines, legend.scale) for line in _wrapped(text, font, width - 2 * _MARGIN)]
    bar_at = _MARGIN + step * len(lines) + _MARGIN // 2
    strip = Image.new("RGB", (width, bar_at + max(_BAR_ROWS, step) + _MARGIN))
    drawing = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        drawing.text((_MARGIN, _MARGIN + number * step), line, _WHITE, font)
    left = _MARGIN + round(font.getlength(legend.lowest)) + _MARGIN
    right = width - 2 * _MARGIN - round(font.getlength(legend.highest))
    drawing.text((_MARGIN, bar_at), legend.lowest, _WHITE, font)
    drawing.text((right + _MARGIN, bar_at), legend.highest, _WHITE, font)
    pixels = np.array(strip)
    pixels[bar_at : bar_at + _BAR_ROWS, left:right] = _bar(right - left)
    return pixels


def _bar(columns: int) -> Picture:
    """Return the colours as they look over middle grey."""
    strength = np.broadcast_to(np.linspace(0, 1, columns, dtype=np.float32), (_BAR_ROWS, columns))
    return _blended(np.full((_BAR_ROWS, columns, 3), 128, np.uint8), np.ascontiguousarray(strength))


def _wrapped(text: str, font: Any, width: int) -> list[str]:
    """Return a text as lines that are no wider; a single long word stays whole."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


@cache
def _letter(character: str) -> bytes:
    return bytes(_font(16).getmask(character))
