"""What every document of the node begins with: its language, and the device that observed."""

from highdicom.sr import (
    ContentItem,
    DeviceObserverIdentifyingAttributes,
    LanguageOfContentItemAndDescendants,
    ObservationContext,
    ObserverContext,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes as standard_codes

from node.dicom.result import codes
from node.dicom.result.lines import serial_number
from node.domain.report import ModelIdentity
from node.domain.words import words_in


def language_of_content(language: str) -> LanguageOfContentItemAndDescendants:
    """Return TID 1204: the language of what a person reads; the meanings of codes stay English."""
    return LanguageOfContentItemAndDescendants(codes.concept(words_in(language).code))


def observation_context(model: ModelIdentity) -> ObservationContext:
    """Return TID 1001 with the model as the device that observed (TID 1004)."""
    device = DeviceObserverIdentifyingAttributes(
        uid=model.device_uid,
        name=model.name,
        manufacturer_name=model.manufacturer,
        model_name=model.name,
        serial_number=serial_number(model) or None,
    )
    return ObservationContext(ObserverContext(standard_codes.DCM.Device, device))


def separate(item: Dataset | ContentItem) -> None:
    """Set Continuity of Content SEPARATE on every container: CONTINUOUS hides concept names in several viewers."""
    if item.ValueType == "CONTAINER":
        item.ContinuityOfContent = "SEPARATE"
    for child in item.get("ContentSequence", ()):
        separate(child)
