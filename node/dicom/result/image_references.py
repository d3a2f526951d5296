"""The images in a report's content tree: their library, and references to them or their frames.

References
----------
DICOM PS3.16 TID 1600, PS3.3 C.17.3, C.18.4 (Image Reference)
"""

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    NumContentItem,
    RelationshipTypeValues,
)

from node.dicom.instance.image_class import is_multi_frame
from node.dicom.result import codes
from node.dicom.sources.source import Source
from node.domain.instance import InstanceHeader

_CONTAINS = RelationshipTypeValues.CONTAINS


def image_library(sources: list[Source]) -> ContainerContentItem:
    """Return TID 1600 with what every image has; highdicom's own asks for elements that a CR may lack.

    What several images share is said once, of their group (TID 1600 row 3): a series may have thousands.
    """
    library = ContainerContentItem(codes.IMAGE_LIBRARY, relationship_type=_CONTAINS)
    alike: dict[tuple[str, int, int], list[Source]] = {}
    for source in sources:
        header = source.header
        alike.setdefault((header.modality, header.rows, header.columns), []).append(source)
    library.ContentSequence = ContentSequence([_library_group(of) for of in alike.values()])
    return library


def image(source: Source, name: CodedConcept, relationship: RelationshipTypeValues) -> ImageContentItem:
    """Return a reference to an image, or to the one of its frames that is meant."""
    item = ImageContentItem(
        name, source.header.sop_class_uid, source.header.sop_instance_uid, relationship_type=relationship
    )
    if source.frame is not None and is_multi_frame(source.header.sop_class_uid):
        item.ReferencedSOPSequence[0].ReferencedFrameNumber = source.frame
    return item


def not_assessed_count() -> NumContentItem:
    """Return how many images were not assessed: one.

    OHIF draws what a group says where a number of it was measured. (The Standard's number without a value, qualified
    as "measurement not attempted", is drawn too; PixelMed's validator calls it an error.)
    """
    count = NumContentItem(codes.IMAGES_NOT_ASSESSED, 1, codes.IMAGES, relationship_type=_CONTAINS)
    count.MeasuredValueSequence[0].NumericValue = "1"  # highdicom writes 1.0
    return count


def _library_group(sources: list[Source]) -> ContainerContentItem:
    group = ContainerContentItem(codes.IMAGE_LIBRARY_GROUP, relationship_type=_CONTAINS)
    entries = [image(source, codes.SOURCE, _CONTAINS) for source in sources]
    shared = _descriptors(sources[0].header)
    if len(entries) == 1:
        entries[0].ContentSequence, shared = ContentSequence(shared), []
    group.ContentSequence = ContentSequence([*shared, *entries])
    return group


def _descriptors(header: InstanceHeader) -> list[ContentItem]:
    """Return the rows of TID 1602 that every image has."""
    counts = [
        _pixel_count(codes.PIXEL_DATA_ROWS, header.rows),
        _pixel_count(codes.PIXEL_DATA_COLUMNS, header.columns),
    ]
    modality = codes.modality_concept(header.modality)
    context = RelationshipTypeValues.HAS_ACQ_CONTEXT
    return [*([] if modality is None else [CodeContentItem(codes.MODALITY, modality, context)]), *counts]


def _pixel_count(name: CodedConcept, count: int) -> NumContentItem:
    context = RelationshipTypeValues.HAS_ACQ_CONTEXT
    item = NumContentItem(name, count, codes.PIXELS, relationship_type=context)
    item.MeasuredValueSequence[0].NumericValue = str(count)  # highdicom writes 512 as 512.0
    return item
