"""Images that a program derived from others to say what it found: results, and not images for a model to read.

A derived image is not one by that alone: modalities derive too, such as subtractions, reformatted planes and
diffusion maps, and those are images like any other.

References
----------
DICOM PS3.3 C.7.6.1.1.2 (Image Type), C.7.6.1.1.3 (Derivation Code Sequence), C.12.1.1.5 (Contributing Equipment),
10.16 (Algorithm Identification), PS3.16 CID 7162 and CID 9231.
"""

from collections.abc import Collection

from node.domain.instance import InstanceHeader

_DERIVED = "DERIVED"

_AI_CODES = {
    "123110": "artificial intelligence",
    "110003": "computer aided diagnosis",
    "110004": "computer aided detection",
}


def result_of_ai(header: InstanceHeader, manufacturers: Collection[str] = ()) -> str | None:
    """Return why an image is a result of another AI, or None where nothing says so.

    Value 1 of (0008,0008) Image Type must be DERIVED, and either a code says how, or the operator has named who made
    it: no code is mandatory, and most programs give none.

    Parameters
    ----------
    header
        The image's.
    manufacturers
        Makers of AI, in lower case: as (0008,0070) Manufacturer of the image or of a Contributing Equipment.
    """
    if header.image_type[:1] != (_DERIVED,):
        return None
    for code in header.derivation_codes:
        if code in _AI_CODES:
            return f"it is derived by {_AI_CODES[code]} (code {code})"
    makers = (header.manufacturer, *header.equipment_manufacturers)
    maker = next((maker for maker in makers if maker.strip().lower() in manufacturers), None)
    return f"it is derived, and {maker} in [study] ai_manufacturers made it" if maker else None
