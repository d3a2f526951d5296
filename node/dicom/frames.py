"""What stands for each frame: rescale and window, at the top level or in functional groups.

References
----------
DICOM PS3.3 C.7.6.6 (Multi-frame), C.7.6.16 (Multi-frame Functional Groups), C.11.1, C.11.2
"""

import math
from collections.abc import Iterator
from typing import Any

from pydicom import Dataset
from pydicom.multival import MultiValue

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_MULTI_FRAME_IMAGES = frozenset(
    _STORAGE + suffix
    for suffix in (
        "2.1", "2.2",  # CT
        "3", "3.1", "6.2", "6.3",  # ultrasound
        "4.1", "4.3", "4.4",  # MR
        "7.1", "7.2", "7.3", "7.4",  # secondary capture
        "12.1", "12.1.1", "12.2", "12.2.1", "12.3",  # angiography and fluoroscopy
        "13.1.1", "13.1.2", "13.1.3", "13.1.4", "13.1.5",  # X-ray in three dimensions and breast projections
        "14.1", "14.2",  # optical coherence tomography
        "20", "30", "66.4", "128.1", "130",  # nuclear medicine, maps, segmentations, PET
        "77.1.1.1", "77.1.2.1", "77.1.4.1", "77.1.5.1", "77.1.5.2", "77.1.5.4", "77.1.6", "77.1.9", "77.2",  # light
        "481.1", "481.2", "481.23", "481.24",  # radiotherapy
    )
)  # fmt: skip


def is_multi_frame(sop_class_uid: str) -> bool:
    """Say whether an image of this SOP class may have several frames, so that one of them can be referred to.

    References
    ----------
    DICOM PS3.3 A.1.4: the IODs with a Multi-frame or Multi-frame Functional Groups module; Table 10-3
    """
    return sop_class_uid in _MULTI_FRAME_IMAGES


def frame_rescales(dataset: Dataset, frames: int) -> Iterator[tuple[float, float]]:
    """Yield Rescale Slope and Rescale Intercept of each frame; 1 and 0 where none is given.

    Raises
    ------
    ValueError
        A value that is no number.
    """
    shared = _functional_group(dataset, 0, "PixelValueTransformationSequence")
    for frame in range(frames):
        source = _of_frame(dataset, frame, "PixelValueTransformationSequence") or shared or dataset
        slope, intercept = source.get("RescaleSlope"), source.get("RescaleIntercept")
        yield (1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept))


def window_of(dataset: Dataset) -> tuple[float, float] | None:
    """Return center and width of the first VOI window, or None where there is none that can be used."""
    groups = _functional_group(dataset, 0, "FrameVOILUTSequence"), _of_frame(dataset, 0, "FrameVOILUTSequence")
    for source in (dataset, *groups):
        window = _window(source) if source is not None else None
        if window is not None:
            return window
    return None


def _window(source: Dataset) -> tuple[float, float] | None:
    try:
        center, width = _first(source.get("WindowCenter")), _first(source.get("WindowWidth"))
    except (TypeError, ValueError):
        return None  # a window is a wish of the sender: an unreadable one costs nothing but itself
    if center is None or width is None or not (math.isfinite(center) and math.isfinite(width)) or width <= 0:
        return None
    return center, width


def _first(value: Any) -> float | None:
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    return None if value is None or value == "" else float(value)


def _functional_group(dataset: Dataset, frame: int, keyword: str, groups: str = "Shared") -> Dataset | None:
    sequence = dataset.get(f"{groups}FunctionalGroupsSequence")
    if not sequence or frame >= len(sequence):
        return None
    macro = sequence[frame].get(keyword)
    return macro[0] if macro else None


def _of_frame(dataset: Dataset, frame: int, keyword: str) -> Dataset | None:
    return _functional_group(dataset, frame, keyword, groups="PerFrame")
