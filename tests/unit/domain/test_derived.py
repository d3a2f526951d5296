"""What is a result of another AI, and what a derived image of a modality."""

from dataclasses import replace

import pytest

from node.domain.derived import result_of_ai
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.instance import InstanceHeader

ORIGINAL = InstanceHeader(
    "1.2.840.10008.5.1.4.1.1.1.1", SOPInstanceUID("1.1"), StudyInstanceUID("1"), SeriesInstanceUID("1.2"), "1.2.840",
    manufacturer="Modality Inc.", image_type=("ORIGINAL", "PRIMARY"),
)  # fmt: skip
DERIVED = replace(ORIGINAL, image_type=("DERIVED", "SECONDARY"))


def test_a_derived_image_is_an_image_where_nothing_else_is_said() -> None:
    """Subtractions, reformatted planes and diffusion maps are derived, too; 113072 is a reformatted plane."""
    assert result_of_ai(DERIVED) is None
    assert result_of_ai(replace(DERIVED, derivation_codes=("113072",)), {"finder ai"}) is None


@pytest.mark.parametrize("code", ["123110", "110003", "110004"])
def test_a_code_of_artificial_intelligence_or_cad_makes_a_derived_image_a_result(code: str) -> None:
    """The reason names it; an original image is never one."""
    reason = result_of_ai(replace(DERIVED, derivation_codes=("113072", code)))
    assert reason is not None
    assert code in reason
    assert result_of_ai(replace(ORIGINAL, derivation_codes=(code,))) is None


def test_a_maker_whom_the_operator_named_makes_results() -> None:
    """As the maker of the image or of equipment that contributed; in whatever case."""
    named = {"finder ai"}
    assert result_of_ai(replace(DERIVED, manufacturer="Finder AI "), named) is not None
    assert result_of_ai(replace(DERIVED, equipment_manufacturers=("Scanner", "FINDER AI")), named) is not None
    assert result_of_ai(replace(ORIGINAL, manufacturer="Finder AI"), named) is None
