"""Where on an image something was seen, in a report: a closed polyline under the number that was measured there.

What has no region of its own has none in the report either, but for viewers that cannot open a report without: these
get a rectangle round the whole image, which their profile asks for.

References
----------
DICOM PS3.3 C.18.6 (Spatial Coordinates: column and row in pixels of the stored image, 0.0 the left or upper edge of
the first one), C.18.4 (Image Reference), PS3.16 TID 1501
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from highdicom.sr import (
    ContentSequence,
    GraphicTypeValues,
    ImageContentItem,
    RelationshipTypeValues,
    ScoordContentItem,
)
from pydicom import Dataset

from node.dicom.instance.image_class import is_multi_frame
from node.dicom.result import codes
from node.dicom.result.image_references import image
from node.dicom.sources.source import Source
from node.domain.finding import Region
from node.domain.profile import Profile

_INSET_STEP = 0.02  # of the image's sides, by which one rectangle lies inside the other
_FIRST_LABEL = 0.1  # of the image's height, below what OHIF itself writes into the corner of the window
_LABEL_STEP = 0.13  # of the image's height, five lines of text as OHIF writes them over an image that fills its window
_WINDOW = 1.27  # width of that window by its height
_LEFT_OF = 0.6  # of the image's width: a label that begins further right runs out of the window
_PIECE = 0.03  # of the image's sides: how finely a place for a label is looked for

Points = npt.NDArray[np.float32]
"""A closed polyline, shape (points, 2): column and row."""


def outlines(source: Source, regions: Sequence[Region], profile: Profile) -> list[Points | None]:
    """Return where the groups of one image point to, each a closed polyline inside the image, or None.

    Parameters
    ----------
    source
        The image, or the frame of it that is meant.
    regions
        Of its groups, in their order; what lies outside the image is clipped. Empty: none is known.
    profile
        Whether what has no region gets a rectangle round the whole image.

    Notes
    -----
    A closed polyline may begin anywhere. OHIF 3.12 writes a group's text to the right of its first two points, so that
    each begins where its text lies over no other's.
    """
    step = _LABEL_STEP * max(1.0, source.header.columns / max(source.header.rows, 1) / _WINDOW)
    whole = profile.whole_image_region
    drawn = [None if region or not whole else _whole(source, at, step) for at, region in enumerate(regions)]
    taken = [float(points[0, 1]) for points in drawn if points is not None]
    for at, region in enumerate(regions):
        if region:
            drawn[at] = _begun_apart(_clipped(source, region), source, taken, step)
    return drawn


def locate(number: Dataset, source: Source, points: Points | None) -> None:
    """Say where on the image a number was measured, where that is known.

    Parameters
    ----------
    number
        Gets the spatial coordinates, and these the image that they are of.
    source
        The image, or the frame of it that is meant.
    points
        One of `outlines`.
    """
    if points is None:
        return
    inferred, name = RelationshipTypeValues.INFERRED_FROM, codes.IMAGE_REGION
    outline = ScoordContentItem(name, GraphicTypeValues.POLYLINE, points, relationship_type=inferred)
    outline.ContentSequence = ContentSequence([_selected(source)])
    number.ContentSequence = ContentSequence([outline])


def _size(source: Source) -> tuple[int, int]:
    return max(source.header.columns, 1), max(source.header.rows, 1)


def _clipped(source: Source, region: Region) -> Points:
    return np.clip(np.array(region, np.float32), 0.0, np.array(_size(source), np.float32))


def _whole(source: Source, position: int, step: float) -> Points:
    """Return the outline of the whole image, inset by `position` and begun at its left, where a text has room."""
    columns, rows = _size(source)
    inset = (1 + position % 20) * _INSET_STEP
    left, right = inset * columns, (1 - inset) * columns
    top, bottom = inset * rows, (1 - inset) * rows
    begun = (_FIRST_LABEL + position % 5 * min(step, 0.16)) * rows
    below = begun + _INSET_STEP * rows
    ring = [[left, begun], [left, below], [left, bottom], [right, bottom], [right, top], [left, top], [left, begun]]
    return np.array(ring, np.float32)


def _begun_apart(points: Points, source: Source, taken: list[float], step: float) -> Points:
    """Return the same polyline, begun where its label is far from those that are taken, and take that place."""
    columns, rows = _size(source)
    begun = _beginnings(points, max(_PIECE * columns, _PIECE * rows))

    def preference(candidate: Points) -> tuple[float, float]:
        (right, _), middle = candidate[:2].max(0), float(candidate[:2, 1].mean())
        room = min((abs(middle - other) / rows for other in taken), default=step)
        beyond = float(right) - _LEFT_OF * columns
        return min(room, step), -max(3 * beyond, -beyond)

    chosen = max(begun, key=preference)
    taken.append(float(chosen[:2, 1].mean()))
    return chosen


def _beginnings(points: Points, piece: float) -> Iterator[Points]:
    """Yield the polyline begun at each of its points, and along those of its sides that are longer than a piece."""
    ring = points[:-1]
    for at, corner in enumerate(ring):
        rest = np.roll(ring, -at - 1, axis=0)  # from the next corner round to this one
        side = rest[0] - corner
        pieces = max(int(np.hypot(*side) / piece), 1)
        yield np.concatenate([corner[np.newaxis], rest])
        for number in range(1, pieces):
            on_side = (corner + side * (number / pieces))[np.newaxis]
            yield np.concatenate([on_side, rest, on_side]).astype(np.float32)


def _selected(source: Source) -> ImageContentItem:
    """Return the reference to what the coordinates are of: one frame; where the image was refused, its first."""
    selected = image(source, codes.SOURCE, RelationshipTypeValues.SELECTED_FROM)
    if source.frame is None and source.header.number_of_frames > 1 and is_multi_frame(source.header.sop_class_uid):
        selected.ReferencedSOPSequence[0].ReferencedFrameNumber = 1
    return selected
