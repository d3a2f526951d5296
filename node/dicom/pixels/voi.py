"""The values of interest: window, VOI function and VOI LUT, as far as they can be said in plain values.

A linear window clips, and whoever reads the values may do that after making the image smaller. A curve (SIGMOID, a
VOI LUT) cannot wait: the mean of curved values is not the curve of their mean, and a picture that was exported to a
JPEG was curved before it was made smaller. So a curve is applied here, to every pixel, and no window remains.

References
----------
DICOM PS3.3 C.11.2 (VOI LUT), C.11.2.1.2 (window), C.11.2.1.3 (functions), C.7.6.16.2.10 (Frame VOI LUT)
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.multival import MultiValue

from node.dicom.pixels.frames import functional_group
from node.dicom.pixels.lookup import Table, looked_up, table_of

Values = npt.NDArray[np.float32]
Window = tuple[float, float]

_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def presented(dataset: Dataset, values: Values) -> tuple[Values, Window | None]:
    """Return the values with their curve applied, and the window that is left to apply.

    The first window that can be used counts, and where there is none the first VOI LUT: where both are there, the
    Standard leaves the choice to the reader. In a multi-frame image, the first frame's stands for all.

    Parameters
    ----------
    dataset
        A grey image.
    values
        Its modality values, of any shape. Not changed.

    Returns
    -------
    tuple
        Under LINEAR and LINEAR_EXACT the values as they are, with center and width of the LINEAR window that cuts
        them so; under SIGMOID the curve's result, 0 to 1; under a VOI LUT its entries; and without any of these,
        which includes those that cannot be read, the values as they are and None.
    """
    for source in _sources(dataset):
        window = _window(source)
        if window is not None:
            return _windowed(values, window, str(source.get("VOILUTFunction") or "LINEAR"))
    for source in _sources(dataset):
        table = _table(source, dataset)
        if table is not None:
            return looked_up(values, table, signed=_signed(dataset)), None
    return values, None


def _signed(dataset: Dataset) -> bool:
    """Say whether what a VOI LUT is given has a sign: Pixel Representation's, and none after a Modality LUT."""
    return bool(dataset.get("PixelRepresentation")) and not dataset.get("ModalityLUTSequence")


def _sources(dataset: Dataset) -> Iterator[Dataset]:
    yield dataset
    for groups in ("Shared", "PerFrame"):
        macro = functional_group(dataset, 0, "FrameVOILUTSequence", groups)
        if macro is not None:
            yield macro


def _window(source: Dataset) -> Window | None:
    try:
        center, width = _first(source.get("WindowCenter")), _first(source.get("WindowWidth"))
    except _UNREADABLE:
        return None  # a window is a wish of the sender: an unreadable one costs nothing but itself
    if center is None or width is None or not (math.isfinite(center) and math.isfinite(width)) or width <= 0:
        return None
    return center, width


def _first(value: Any) -> float | None:
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    return None if value is None or value == "" else float(value)


def _windowed(values: Values, window: Window, function: str) -> tuple[Values, Window | None]:
    center, width = window
    if function == "SIGMOID":
        # C.11.2.1.3.1, 1 / (1 + exp(-4 (x - c) / w)), in a form that does not overflow
        return np.asarray(0.5 + 0.5 * np.tanh(2.0 * (values - center) / width), np.float32), None
    if function == "LINEAR_EXACT":
        # C.11.2.1.3.2: it ends at center -+ width / 2, where LINEAR ends at center - 0.5 -+ (width - 1) / 2
        return values, (center + 0.5, width + 1.0)
    return values, window


def _table(source: Dataset, dataset: Dataset) -> Table | None:
    try:
        return table_of(source.VOILUTSequence[0], little_endian=dataset.file_meta.TransferSyntaxUID.is_little_endian)
    except _UNREADABLE:
        return None
