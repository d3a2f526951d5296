"""Which images a model reads: the operator's rule, applied to a header.

A rule decides on what the header says, before any pixel is seen. What it turns away is listed with the reason and
gets no object; what it lets through may still be not admitted by the pixels.
"""

from dataclasses import dataclass

from node.domain.instance import InstanceHeader, age_of

_LATERAL_VIEWS = ("LL", "RL", "LLD", "RLD", "LLO", "RLO", "LATERAL", "LAT")


@dataclass(frozen=True, slots=True)
class Rule:
    """What one model reads; an empty tuple (or None) asks for nothing."""

    modalities: tuple[str, ...] = ("CR", "DX")
    body_parts: tuple[str, ...] = ("CHEST",)
    senders: tuple[str, ...] = ()  #: calling AE titles
    age_years: tuple[float, float] | None = None  #: youngest and oldest, both included


def turned_away(rule: Rule, header: InstanceHeader, sender: str) -> str | None:
    """Return why `rule` does not read this image, or None where it does.

    An absent body part or age turns nothing away: there the pixels decide.

    Parameters
    ----------
    rule
        The model's rule.
    header
        What the instance says of itself.
    sender
        The calling AE title of the association that brought it.
    """
    if not header.has_pixels:
        return "it has no pixels"
    if header.presentation_intent == "FOR PROCESSING":
        return "presentation intent is FOR PROCESSING"
    if header.modality not in rule.modalities:
        return f"modality {header.modality or 'absent'} is not in modalities {_listed(rule.modalities)}"
    if rule.body_parts and header.body_part_examined and header.body_part_examined not in rule.body_parts:
        return f"body part {header.body_part_examined} is not in body_parts {_listed(rule.body_parts)}"
    if rule.senders and sender not in rule.senders:
        return f"sender {sender} is not in senders {_listed(rule.senders)}"
    return _turned_away_by_view(header.view_position) or _turned_away_by_age(rule, age_of(header))


def _turned_away_by_view(view_position: str) -> str | None:
    # frontal images are all that any bundle was trained on; an absent view is left to the pixels
    return f"view position {view_position} is not frontal" if view_position in _LATERAL_VIEWS else None


def _turned_away_by_age(rule: Rule, age: float | None) -> str | None:
    if rule.age_years is None or age is None:
        return None
    youngest, oldest = rule.age_years
    # an oldest of 5 takes a child in until the sixth birthday, as an age of 005Y does
    if youngest <= age < oldest + 1:
        return None
    return f"age {age:.1f} is not within age_years {youngest:g} to {oldest:g}"


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(values) or "(none)"
