"""Whether an instance is an image: by its pixels, or by its SOP class where they are missing.

An image that came without the bytes of its pixels is still one that somebody took for sent: it is read like any other,
and its report says that it was not assessed. A report or a Key Object has none and misses none.

References
----------
DICOM PS3.4 B.5 (Standard Storage SOP Classes), PS3.6 Annex A (their names)
"""

from pydicom._uid_dict import UID_dictionary

from node.domain.instance import InstanceHeader

_IMAGE_SOP_CLASSES = frozenset(
    uid for uid, (name, kind, *_) in UID_dictionary.items() if kind == "SOP Class" and "Image Storage" in name
)


def is_image(header: InstanceHeader) -> bool:
    """Return whether an instance has pixels, or is of a SOP class whose instances have to."""
    return header.has_pixels or header.sop_class_uid in _IMAGE_SOP_CLASSES
