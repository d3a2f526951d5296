"""What stands for each frame: rescale and window, at the top level or in functional groups.

References
----------
DICOM PS3.3 C.7.6.16 (Multi-frame Functional Groups), C.11.1, C.11.2
"""

import math
from collections.abc import Iterator
from typing import Any

from pydicom import Dataset
from pydicom.multival import MultiValue


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
