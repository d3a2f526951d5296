"""What stands for each frame, at the top level or in functional groups.

References
----------
DICOM PS3.3 C.7.6.6 (Multi-frame), C.7.6.16 (Multi-frame Functional Groups), C.11.1 (Modality LUT)
"""

from collections.abc import Iterator

from pydicom import Dataset


def frame_rescales(dataset: Dataset, frames: int) -> Iterator[tuple[float, float]]:
    """Yield Rescale Slope and Rescale Intercept of each frame; 1 and 0 where none is given.

    Raises
    ------
    ValueError
        A value that is no number.
    """
    shared = functional_group(dataset, 0, "PixelValueTransformationSequence", "Shared")
    for frame in range(frames):
        own = functional_group(dataset, frame, "PixelValueTransformationSequence", "PerFrame")
        source = own or shared or dataset
        slope, intercept = source.get("RescaleSlope"), source.get("RescaleIntercept")
        yield (1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept))


def functional_group(dataset: Dataset, frame: int, keyword: str, groups: str) -> Dataset | None:
    """Return a functional group macro of one frame, or None where there is none.

    Parameters
    ----------
    dataset
        A multi-frame image, or any other.
    frame
        Which frame, from 0; shared groups stand at 0.
    keyword
        Of the macro's sequence, such as "FrameVOILUTSequence".
    groups
        "Shared" or "PerFrame".
    """
    sequence = dataset.get(f"{groups}FunctionalGroupsSequence")
    if not sequence or frame >= len(sequence):
        return None
    macro = sequence[frame].get(keyword)
    return macro[0] if macro else None
