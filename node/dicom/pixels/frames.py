"""What stands for each frame, at the top level or in functional groups.

References
----------
DICOM PS3.3 C.7.6.6 (Multi-frame), C.7.6.16 (Multi-frame Functional Groups), C.11.1 (Modality LUT)
"""

from collections.abc import Iterator

from pydicom import Dataset

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
