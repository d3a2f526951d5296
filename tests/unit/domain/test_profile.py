"""What destinations get, by their profile."""

import pytest
from pydicom.uid import UID

from node.domain.profile import COMPREHENSIVE_3D_SR, COMPREHENSIVE_SR, ENHANCED_SR, PROFILES

CLASSES = {COMPREHENSIVE_3D_SR: "Comprehensive 3D SR", COMPREHENSIVE_SR: "Comprehensive SR", ENHANCED_SR: "Enhanced SR"}


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_offers_each_form_once_and_only_known_ones(name: str) -> None:
    """Those in which a report can be made."""
    profile = PROFILES[name]
    assert profile.name == name
    assert profile.sop_classes
    assert len(set(profile.sop_classes)) == len(profile.sop_classes)
    assert {UID(uid).name.removesuffix(" Storage") for uid in profile.sop_classes} <= set(CLASSES.values())


def test_a_strict_archive_gets_nothing_in_place_of_what_the_profile_asks_for() -> None:
    """IHE AI Results asks for Comprehensive 3D SR."""
    assert PROFILES["air"].sop_classes == (COMPREHENSIVE_3D_SR,)


def test_only_a_viewer_that_needs_rectangles_gets_them() -> None:
    """A rectangle round nothing catches the eye for nothing."""
    assert [name for name, profile in PROFILES.items() if profile.whole_image_region] == ["ohif"]


def test_no_profile_gives_heat_maps_unasked() -> None:
    """They are opted in, peer by peer; and what is beside a report goes with one."""
    assert not [name for name, profile in PROFILES.items() if "heatmap" in profile.gets]
    assert PROFILES["default"].gets == ()
