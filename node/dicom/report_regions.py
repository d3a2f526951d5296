"""Where on an image something was seen, in a report: a closed polyline under the number that was measured there.

What has no region of its own has none in the report either, but for viewers that cannot open a report without: these
get a rectangle round the whole image, which their profile asks for.

References
----------
DICOM PS3.3 C.18.6 (Spatial Coordinates: column and row in pixels of the stored image, 0.0 the left or upper edge of
the first one), C.18.4 (Image Reference), PS3.16 TID 1501
"""

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

from node.dicom import codes
from node.dicom.frames import is_multi_frame
from node.dicom.report_images import image
from node.dicom.source import Source
from node.domain.finding import Region
from node.domain.profile import Profile

#: Of the image's sides. Groups are inset differently, or a viewer draws their labels over each other: OHIF puts them,
#: of two or three lines each, beside the upper right corner.
_INSET_STEP, _LABEL_STEP = 0.02, 0.09

Points = npt.NDArray[np.float32]


def locate(number: Dataset, source: Source, region: Region, position: int, profile: Profile) -> None:
    """Say where on the image a number was measured, as far as that is known or the profile asks for a place.

    Parameters
    ----------
    number
        Gets the spatial coordinates, and these the image that they are of.
    source
        The image, or the frame of it that is meant.
    region
        Closed polyline, (column, row); what lies outside the image is clipped. Empty: none is known.
    position
        Of its group among those of the image, from 0.
    profile
        Whether what has no region gets a rectangle round the whole image.
    """
    if region:
        points = _clipped(source, region)
    elif profile.whole_image_region:
        points = _whole(source, position)
    else:
        return
    inferred, name = RelationshipTypeValues.INFERRED_FROM, codes.IMAGE_REGION
    outline = ScoordContentItem(name, GraphicTypeValues.POLYLINE, points, relationship_type=inferred)
    outline.ContentSequence = ContentSequence([_selected(source)])
    number.ContentSequence = ContentSequence([outline])


def _size(source: Source) -> tuple[int, int]:
    return max(source.header.columns, 1), max(source.header.rows, 1)


def _clipped(source: Source, region: Region) -> Points:
    return np.clip(np.array(region, np.float32), 0.0, np.array(_size(source), np.float32))


def _whole(source: Source, position: int) -> Points:
    """Return the outline of the whole image, inset by `position`."""
    columns, rows = _size(source)
    inset = (1 + position % 20) * _INSET_STEP
    left, right = inset * columns, (1 - inset) * columns
    top, bottom = (_INSET_STEP + position % 5 * _LABEL_STEP) * rows, (1 - inset) * rows
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]], np.float32)


def _selected(source: Source) -> ImageContentItem:
    """Return the reference to what the coordinates are of: one frame; where the image was refused, its first."""
    selected = image(source, codes.SOURCE, RelationshipTypeValues.SELECTED_FROM)
    if source.frame is None and source.header.number_of_frames > 1 and is_multi_frame(source.header.sop_class_uid):
        selected.ReferencedSOPSequence[0].ReferencedFrameNumber = 1
    return selected
