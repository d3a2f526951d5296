"""What the node offers in an association."""

import pytest
from pydicom import uid
from pynetdicom.presentation import AllStoragePresentationContexts

from node.network.presentation import (
    STORAGE_SOP_CLASSES,
    TRANSFER_SYNTAXES,
    VERIFICATION,
    acceptor_contexts,
    preferred_transfer_syntax,
    syntax_name,
)


@pytest.mark.parametrize(
    "name",
    [
        "CTImageStorage",
        "MRImageStorage",
        "EnhancedCTImageStorage",
        "ComputedRadiographyImageStorage",
        "DigitalXRayImageStorageForPresentation",
        "UltrasoundImageStorage",
        "Comprehensive3DSRStorage",
        "KeyObjectSelectionDocumentStorage",
        "GrayscaleSoftcopyPresentationStateStorage",
        "SegmentationStorage",
        "RTPlanStorage",
        "EncapsulatedPDFStorage",
    ],
)
def test_storage_sop_classes_in_use_are_offered(name: str) -> None:
    """Images, reports, key objects, presentation states, segmentations and plans are all taken."""
    assert getattr(uid, name) in STORAGE_SOP_CLASSES


@pytest.mark.parametrize(
    "retired", ["1.2.840.10008.5.1.4.1.1.3", "1.2.840.10008.5.1.4.1.1.88.4", "1.2.840.10008.5.1.1.29"]
)
def test_retired_storage_sop_classes_are_offered(retired: str) -> None:
    """Archives still hold objects of retired classes, and send them."""
    assert retired in STORAGE_SOP_CLASSES


def test_every_storage_sop_class_has_a_name() -> None:
    """Also those that are younger than the registry of the library."""
    assert [sop_class for sop_class in STORAGE_SOP_CLASSES if syntax_name(sop_class) == sop_class] == []


def test_everything_that_the_library_calls_storage_is_offered() -> None:
    """No class is lost to a reading of names."""
    assert {context.abstract_syntax for context in AllStoragePresentationContexts} <= STORAGE_SOP_CLASSES


@pytest.mark.parametrize(
    "other",
    ["1.2.840.10008.1.20.1", uid.MediaStorageDirectoryStorage, "1.2.840.10008.5.1.4.31"],
)
def test_what_does_not_travel_by_c_store_is_not_offered(other: str) -> None:
    """Storage commitment is another service, and a DICOMDIR exists on media only."""
    assert other not in STORAGE_SOP_CLASSES


def test_every_transfer_syntax_of_the_library_is_offered() -> None:
    """Deflated, big endian, the JPEG families, HTJ2K, RLE, video and encapsulated uncompressed."""
    assert set(uid.AllTransferSyntaxes) <= set(TRANSFER_SYNTAXES)
    assert "1.2.840.10008.1.2.1.98" in TRANSFER_SYNTAXES
    assert len(set(TRANSFER_SYNTAXES)) == len(TRANSFER_SYNTAXES)


RLE, J2K = str(uid.RLELossless), str(uid.JPEG2000)
EXPLICIT, IMPLICIT, BIG = str(uid.ExplicitVRLittleEndian), str(uid.ImplicitVRLittleEndian), str(uid.ExplicitVRBigEndian)


@pytest.mark.parametrize(
    ("proposed", "preferred"),
    [
        ([RLE, EXPLICIT, IMPLICIT], RLE),
        (["1.2.3", J2K, EXPLICIT], J2K),
        ([IMPLICIT, EXPLICIT], EXPLICIT),
        ([BIG, IMPLICIT, RLE], IMPLICIT),
        ([BIG], BIG),
        (["1.2.3", RLE], RLE),
        (["1.2.3"], None),
        ([], None),
    ],
)
def test_a_senders_compression_is_kept_and_explicit_vr_wins(proposed: list[str], preferred: str | None) -> None:
    """What an instance is in comes first in a proposal; among uncompressed syntaxes the one that keeps VRs is taken."""
    assert preferred_transfer_syntax(proposed) == preferred


def test_the_contexts_are_every_class_times_every_syntax_built_once() -> None:
    """The list is complete, and the same object each time."""
    contexts = acceptor_contexts()
    assert {context.abstract_syntax for context in contexts} == STORAGE_SOP_CLASSES | {VERIFICATION}
    assert all(tuple(context.transfer_syntax) == TRANSFER_SYNTAXES for context in contexts)
    assert acceptor_contexts() is contexts


def test_names_are_for_people() -> None:
    """A registered UID has its name, another one is shown as it is."""
    assert syntax_name(uid.CTImageStorage) == "CT Image Storage"
    assert syntax_name("1.2.3.4") == "1.2.3.4"
