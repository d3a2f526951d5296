"""Report identities: minted once, from what the report says."""

from dataclasses import replace

from node.domain.identifiers import SOPInstanceUID, StudyInstanceUID
from node.domain.report import ModelIdentity, report_identity

STUDY = StudyInstanceUID("1.2.3")
MODEL = ModelIdentity("starter", "1.0.0", "2.25.1")
IMAGES = (SOPInstanceUID("1.2.3.1"), SOPInstanceUID("1.2.3.2"))
COMPREHENSIVE_3D = "1.2.840.10008.5.1.4.1.1.88.34"


def test_the_order_of_the_images_does_not_change_the_identity() -> None:
    """Two nodes that received the images in another order make the same report."""
    assert report_identity(STUDY, MODEL, IMAGES, COMPREHENSIVE_3D) == report_identity(
        STUDY, MODEL, IMAGES[::-1], COMPREHENSIVE_3D
    )


def test_whatever_changes_the_report_changes_its_instance_and_not_its_series() -> None:
    """Version, inputs, SOP class, patient, profile and language each make another report of one series."""
    first = report_identity(STUDY, MODEL, IMAGES, COMPREHENSIVE_3D)
    others = [
        report_identity(STUDY, replace(MODEL, version="1.0.1"), IMAGES, COMPREHENSIVE_3D),
        report_identity(STUDY, MODEL, IMAGES[:1], COMPREHENSIVE_3D),
        report_identity(STUDY, MODEL, IMAGES, "1.2.840.10008.5.1.4.1.1.88.33"),
        report_identity(STUDY, MODEL, IMAGES, COMPREHENSIVE_3D, patient_key="other"),
        report_identity(STUDY, MODEL, IMAGES, COMPREHENSIVE_3D, profile="weasis"),
        report_identity(STUDY, MODEL, IMAGES, COMPREHENSIVE_3D, language="zh"),
    ]
    assert len({first.sop_instance_uid, *(other.sop_instance_uid for other in others)}) == 7
    assert {other.series_instance_uid for other in others} == {first.series_instance_uid}
