"""What a destination gets, and in which form: the profiles that a peer's ``profile`` in config.toml chooses from.

A profile is about a viewer or an archive, never about a site. What was run with it and what was only read stands in
``docs/profiles.md``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from node.domain.words import Words

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"


@dataclass(frozen=True, slots=True)
class Profile:
    """How a report is shaped for one kind of destination."""

    name: str  #: as config.toml writes it
    sop_classes: tuple[str, ...]  #: SOP Class UIDs, the preferred first; the first one accepted is sent
    whole_image_region: bool  #: whether what has no region of its own gets an inset rectangle round the whole image
    series_number: int  #: (0020,0011) Series Number of the reports
    series_description: str = ""  #: (0008,103E), ``{model}`` is the model's name; empty: in the report's language
    gets: tuple[str, ...] = ()  #: what a peer of this profile gets where its own `gets` says nothing

    def description(self, model: str, words: Words) -> str:
        """Return the Series Description of a model's reports."""
        return self.series_description.format(model=model) or words.line("series", model=model)


DEFAULT = Profile(
    name="default",
    sop_classes=(COMPREHENSIVE_3D_SR, COMPREHENSIVE_SR, ENHANCED_SR),
    whole_image_region=False,
    series_number=9001,
)

PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        DEFAULT,
        # a group without SCOORD ends OHIF 3.12 with an error
        replace(DEFAULT, name="ohif", whole_image_region=True, gets=("report",)),
        replace(DEFAULT, name="weasis", gets=("report",)),
        # it reads no Comprehensive 3D SR, and shows a report as a page of nested items: the text is what a person reads
        replace(DEFAULT, name="horos", sop_classes=(COMPREHENSIVE_SR, ENHANCED_SR), gets=("report", "text")),
        # IHE AI Results asks for Comprehensive 3D SR, and nothing stands in for it
        replace(DEFAULT, name="air", sop_classes=(COMPREHENSIVE_3D_SR,), gets=("report",)),
    )
}
"""By name; a test and ``docs/profiles.md`` go through all of them."""
