"""What a SOP class says of its instances: whether they are images, and whether these may have several frames.

An image that came without the bytes of its pixels is still one that somebody took for sent: it is read like any other,
and its report says that it was not assessed. A report or a Key Object has none and misses none.

References
----------
DICOM PS3.4 B.5 (Standard Storage SOP Classes), PS3.6 Annex A (their names), PS3.3 C.7.6.6 (Multi-frame)
"""

from pydicom._uid_dict import UID_dictionary

from node.domain.instance import InstanceHeader

_IMAGE_SOP_CLASSES = frozenset(
    uid for uid, (name, kind, *_) in UID_dictionary.items() if kind == "SOP Class" and "Image Storage" in name
)
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


def is_image(header: InstanceHeader) -> bool:
    """Return whether an instance has pixels, or is of a SOP class whose instances have to."""
    return header.has_pixels or header.sop_class_uid in _IMAGE_SOP_CLASSES


def is_multi_frame(sop_class_uid: str) -> bool:
    """Say whether an image of this SOP class may have several frames, so that one of them can be referred to.

    References
    ----------
    DICOM PS3.3 A.1.4: the IODs with a Multi-frame or Multi-frame Functional Groups module; Table 10-3
    """
    return sop_class_uid in _MULTI_FRAME_IMAGES
