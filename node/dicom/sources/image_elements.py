"""What a derived image takes over from its source beside patient and study: which part of the body, and its geometry.

References
----------
DICOM PS3.3 C.7.3.1 (General Series), C.7.6.1 (General Image), C.7.6.3.1.7 (Pixel Aspect Ratio), 10.7 (pixel spacing)
"""

from pathlib import Path

from pydicom import Dataset

from node.dicom.encoding.structure import check_structure
from node.dicom.instance.part10 import opened_part10
from node.dicom.sources.copied import copied_elements
from node.dicom.sources.modules import ItemKind

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
_OBLONG = 50.0  # a pixel that is so much longer than wide is a mistake of its header

_UNPAIRED = frozenset(  # of PS3.16 Annex L; here no side is to be given
    {
        "ABDOMEN", "ABDOMENPELVIS", "BLADDER", "BRAIN", "CERVIX", "CHEST", "CHESTABDOMEN", "CHESTABDPELVIS",
        "COCCYX", "COLON", "CSPINE", "CTSPINE", "DUODENUM", "ESOPHAGUS", "GALLBLADDER", "HEAD", "HEADNECK",
        "HEART", "JAW", "LARYNX", "LIVER", "LSPINE", "LSSPINE", "MAXILLA", "MEDIASTINUM", "MOUTH", "NECK", "NECKCHEST",
        "NECKCHESTABDOMEN", "NOSE", "PANCREAS", "PELVIS", "PENIS", "PROSTATE", "RECTUM", "SKULL", "SPINE",
        "SPLEEN", "SSPINE", "STERNUM", "STOMACH", "THYMUS", "THYROID", "TLSPINE", "TONGUE", "TRACHEA", "TSPINE",
        "UTERUS", "VAGINA", "WHOLEBODY",
    }
)  # fmt: skip

_ELEMENTS = ItemKind(
    ("BodyPartExamined", "Laterality", "ImageLaterality", "PatientOrientation", "PixelAspectRatio", *_SPACINGS, *_LOSSY)
)


def image_elements(path: Path, terms: tuple[str, ...]) -> Dataset:
    """Return the elements of a stored image that one derived from it needs, as far as they are valid.

    Parameters
    ----------
    path
        A DICOM file, as the node stores it.
    terms
        Its Specific Character Set.
    """
    with opened_part10(path) as part10, check_structure(part10.dataset, part10.transfer_syntax_uid) as structure:
        return copied_elements(structure, terms, _ELEMENTS)


def aspect_of(elements: Dataset) -> float:
    """Return the height of a pixel by its width, 1.0 where nothing is known.

    Pixel Aspect Ratio and the spacings all give the vertical value first.
    """
    for keyword in ("PixelAspectRatio", *_SPACINGS):
        values = [float(value) for value in elements.get(keyword) or ()]
        if len(values) == 2 and min(values) > 0:
            aspect = values[0] / values[1]
            return aspect if 1 / _OBLONG < aspect < _OBLONG else 1.0
    return 1.0


def laterality_of(elements: Dataset) -> Dataset:
    """Return the side of the body as a derived image says it: of the image where it is known, else as unknown.

    (0020,0060) Laterality of the series is required, if empty, where the part of the body has two sides, and must not
    be there where it has one (PS3.3 C.7.3.1).
    """
    side = Dataset()
    known = elements.get("ImageLaterality") or elements.get("Laterality")
    if known:
        side.ImageLaterality = known
    elif elements.get("BodyPartExamined") not in _UNPAIRED:
        side.Laterality = ""
    return side


def lossy_compression_of(elements: Dataset) -> Dataset:
    """Return what says that an image went through a lossy compression, which what is derived from it says as well."""
    lossy = elements.get("LossyImageCompression") == "01" and "LossyImageCompressionRatio" in elements
    copy = Dataset()
    for keyword in _LOSSY if lossy else ():
        if keyword in elements:
            copy[keyword] = elements[keyword]
    return copy
