"""What a model's rule lets through, and what it says of what it turns away."""

from dataclasses import replace

import pytest

from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.instance import InstanceHeader, age_in_years
from node.domain.rule import Rule, count_turned_away, turned_away

CHEST = InstanceHeader(
    sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1",
    sop_instance_uid=SOPInstanceUID("1.3"),
    study_instance_uid=StudyInstanceUID("1.1"),
    series_instance_uid=SeriesInstanceUID("1.2"),
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    modality="DX",
    body_part_examined="CHEST",
)


def test_a_chest_radiograph_is_read() -> None:
    """The plain case."""
    assert turned_away(Rule(), CHEST, "CR1") is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"modality": "CT"}, "modality CT is not in modalities CR, DX"),
        ({"modality": ""}, "modality absent is not in modalities CR, DX"),
        ({"body_part_examined": "HAND"}, "body part HAND is not in body_parts CHEST"),
        ({"presentation_intent": "FOR PROCESSING"}, "presentation intent is FOR PROCESSING"),
    ],
)
def test_a_mismatch_is_turned_away_with_its_value(changes: dict[str, object], reason: str) -> None:
    """The reason names what the header says and what the rule asks."""
    assert turned_away(Rule(), replace(CHEST, **changes), "CR1") == reason


def test_an_absent_body_part_is_left_to_the_pixels() -> None:
    """Many scanners leave it out."""
    assert turned_away(Rule(), replace(CHEST, body_part_examined=""), "CR1") is None


@pytest.mark.parametrize(
    ("age", "read"),
    [("003Y", True), ("005Y", True), ("013M", True), ("001D", False), ("006Y", False), ("", True), ("old", True)],
)
def test_the_age_decides_where_the_header_gives_one(age: str, read: bool) -> None:  # noqa: FBT001 - a table of cases
    """Bounds are included; an age that is absent or no age string turns nothing away."""
    rule = Rule(age_years=(1, 5))
    assert (turned_away(rule, replace(CHEST, patient_age=age), "CR1") is None) is read


@pytest.mark.parametrize(
    ("age", "read"), [("006M", True), ("007M", False), ("001Y", False), ("180D", True), ("000D", True)]
)
def test_an_oldest_age_within_a_year_says_what_it_says(age: str, read: bool) -> None:  # noqa: FBT001 - a table of cases
    """Half a year is not a year and a half."""
    rule = Rule(age_years=(0, 0.5))
    assert (turned_away(rule, replace(CHEST, patient_age=age), "CR1") is None) is read


def test_the_age_follows_from_the_birth_date_where_it_is_not_sent() -> None:
    """Patient's Age is often left out; a header that says 1950 is an adult's all the same."""
    rule = Rule(age_years=(1, 5))
    adult = replace(CHEST, patient_birth_date="19500101", study_date="20260102")
    child = replace(CHEST, patient_birth_date="20220601", study_date="20260102")
    assert turned_away(rule, adult, "CR1") == "age 76.0 is not within age_years 1 to 5"
    assert turned_away(rule, child, "CR1") is None
    assert turned_away(rule, replace(adult, patient_birth_date="unknown"), "CR1") is None


@pytest.mark.parametrize(("view", "read"), [("AP", True), ("PA", True), ("", True), ("LL", False), ("RL", False)])
def test_a_lateral_view_is_turned_away(view: str, read: bool) -> None:  # noqa: FBT001 - a table of cases
    """No bundle was trained on one; an absent view is left to the pixels."""
    assert (turned_away(Rule(), replace(CHEST, view_position=view), "CR1") is None) is read


def test_senders_are_asked_for_only_where_the_rule_names_some() -> None:
    """The calling AE title is the sender."""
    rule = Rule(senders=("CR1",))
    assert turned_away(rule, CHEST, "CR1") is None
    assert turned_away(rule, CHEST, "CR2") == "sender CR2 is not in senders CR1"


def test_age_strings_are_read_in_their_unit() -> None:
    """PS3.5 6.2, VR AS."""
    assert age_in_years("002Y") == 2
    assert age_in_years("024M") == 2
    assert age_in_years("12") is None


@pytest.mark.parametrize(
    ("rule", "changes", "reason"),
    [
        (Rule(views=("PA",)), {"view_position": "AP"}, "view position AP is not in views PA"),
        (Rule(views=("LL", "RL")), {"view_position": "LL"}, None),
        (Rule(views=("PA",)), {"view_position": ""}, None),
        (Rule(body_parts=("HAND",)), {"view_position": "LL", "body_part_examined": "HAND"}, None),
        (Rule(body_parts=()), {"view_position": "LL", "body_part_examined": ""}, "view position LL is not frontal"),
        (Rule(manufacturers=("siemens*",)), {"manufacturer": "SIEMENS Healthineers"}, None),
        (
            Rule(manufacturers=("siemens*", "GE*")),
            {"manufacturer": "Philips"},
            "manufacturer Philips is not in manufacturers siemens*, GE*",
        ),
        (Rule(manufacturers=("GE*",)), {}, "manufacturer absent is not in manufacturers GE*"),
        (Rule(institutions=("St. Mary",)), {"institution_name": "ST. MARY"}, None),
        (
            Rule(institutions=("St. Mary",)),
            {"institution_name": "Elsewhere"},
            "institution Elsewhere is not in institutions St. Mary",
        ),
        (Rule(presentation_intents=("FOR PROCESSING",)), {"presentation_intent": "FOR PROCESSING"}, None),
        (
            Rule(presentation_intents=("FOR PROCESSING",)),
            {"presentation_intent": "FOR PRESENTATION"},
            "presentation intent is FOR PRESENTATION",
        ),
        (Rule(presentation_intents=("FOR PROCESSING",)), {"presentation_intent": ""}, None),
    ],
)
def test_each_further_word_of_a_rule_is_asked_of_the_header(
    rule: Rule, changes: dict[str, object], reason: str | None
) -> None:
    """View, manufacturer, institution, Presentation Intent; a lateral view is read where a rule says so."""
    assert turned_away(rule, replace(CHEST, **changes), "CR1") == reason


@pytest.mark.parametrize(("modality", "part"), [("CT", "CHEST"), ("MR", "BRAIN"), ("MG", "BREAST"), ("US", "ABDOMEN")])
def test_other_modalities_are_read_where_a_rule_names_them(modality: str, part: str) -> None:
    """A rule without body parts reads whatever the header says of them."""
    header = replace(CHEST, modality=modality, body_part_examined=part)
    assert turned_away(Rule(modalities=(modality,), body_parts=()), header, "CT1") is None
    assert turned_away(Rule(modalities=(modality,), body_parts=(part,)), header, "CT1") is None
    assert turned_away(Rule(), header, "CT1") == f"modality {modality} is not in modalities CR, DX"


def test_the_number_of_images_is_asked_of_the_whole_study() -> None:
    """Between the fewest and the most, both included."""
    rule = Rule(min_images=2, max_images=3)
    assert count_turned_away(rule, 1) == "it has 1 image that the model reads, fewer than min_images 2"
    assert count_turned_away(rule, 4) == "it has 4 images that the model reads, more than max_images 3"
    assert count_turned_away(rule, 2) is count_turned_away(rule, 3) is count_turned_away(Rule(), 5000) is None
