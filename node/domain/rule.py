"""Which images a model reads, and how they become one result: the operator's rule, applied to a header.

A rule decides on what the header says, before any pixel is seen. What it turns away is listed with the reason and
gets no object; what it lets through may still be not admitted by the pixels. How many images a study must have is
asked when the study is complete, of all that the rule has let through.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from node.domain.instance import InstanceHeader, age_of

_LATERAL_VIEWS = ("LL", "RL", "LLD", "RLD", "LLO", "RLO", "LATERAL", "LAT")
_CHEST = "CHEST"

IS_OFF = "the model is off"
"""The reason of a model that turns everything away."""


class Aggregation(StrEnum):
    """How what a model says of images becomes what it says of their study, for each class by itself."""

    ANY = "any"
    """The class is present where one image reaches its threshold; no figure stands for the study."""

    MAXIMUM = "maximum"
    """As any, with the highest score as the study's figure."""

    MEAN = "mean"
    """The mean score of all assessed images, against the threshold."""

    TOP_K = "top-k"
    """The mean of the `top_k` highest scores, or of all where there are fewer, against the threshold."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one model reads; an empty tuple (or None) asks for nothing.

    Not so `modalities` and `presentation_intents`: they name all that is read, and of nothing named nothing is.
    Code strings stand in upper case, as headers do.
    """

    modalities: tuple[str, ...] = ("CR", "DX")
    body_parts: tuple[str, ...] = (_CHEST,)
    senders: tuple[str, ...] = ()  #: calling AE titles
    age_years: tuple[float, float] | None = None
    """Youngest and oldest, both included: an oldest of 5 until the sixth birthday, one of 0.5 until half a year."""
    views: tuple[str, ...] = ()  #: View Positions; where none is named, all but the lateral ones of a chest
    manufacturers: tuple[str, ...] = ()  #: whatever the case; * stands for any characters
    institutions: tuple[str, ...] = ()  #: likewise
    presentation_intents: tuple[str, ...] = ("FOR PRESENTATION",)
    min_images: int = 1  #: of a study, let through by all of the above and assessed by the model
    max_images: int | None = None  #: of a study, let through by all of the above, assessed or not
    max_frames: int = 1  #: of one image; 1: the model reads single images
    aggregation: Aggregation = Aggregation.ANY
    top_k: int = 3  #: of TOP_K


def turned_away(rule: Rule, header: InstanceHeader, sender: str) -> str | None:
    """Return why `rule` does not read this image, or None where it does.

    An absent body part, view, age or Presentation Intent turns nothing away: there the pixels decide. An absent
    manufacturer or institution does where the rule names some: no pixel tells them.

    Parameters
    ----------
    rule
        The model's rule.
    header
        What the instance says of itself.
    sender
        The calling AE title of the association that brought it.
    """
    return next((reason for ask in _QUESTIONS if (reason := ask(rule, header, sender)) is not None), None)


def count_turned_away(rule: Rule, assessed: int, refused: int = 0, unread: int = 0) -> str | None:
    """Return why a study of so many images gets no result, or None where it gets one or may still get one.

    Parameters
    ----------
    rule
        The model's rule.
    assessed
        How many images the model has assessed.
    refused
        How many it was to read and has not assessed: they were not admitted, or their reading failed.
    unread
        How many are still to be read: each may be assessed.
    """
    images = assessed + refused + unread
    # a minimum of 1 asks for nothing: a study of which no image was assessed is told to be so
    if rule.min_images > 1 and assessed + unread < rule.min_images:
        without = f", {refused} of them not assessed" if refused else ""
        return f"{_images(images)}{without}, fewer than min_images {rule.min_images}"
    if rule.max_images is not None and images > rule.max_images:
        return f"{_images(images)}, more than max_images {rule.max_images}"
    return None


def waits_for_unread(rule: Rule, assessed: int) -> bool:
    """Return whether so many assessed images are too few for a result, so that the unread ones are waited for."""
    return rule.min_images > 1 and assessed < rule.min_images


def _by_intent(rule: Rule, header: InstanceHeader, _: str) -> str | None:
    intent = header.presentation_intent
    return f"presentation intent is {intent}" if intent and intent not in rule.presentation_intents else None


def _by_modality(rule: Rule, header: InstanceHeader, _: str) -> str | None:
    if header.modality in rule.modalities:
        return None
    return f"modality {header.modality or 'absent'} is not in modalities {_listed(rule.modalities)}"


def _by_body_part(rule: Rule, header: InstanceHeader, _: str) -> str | None:
    part = header.body_part_examined
    if not rule.body_parts or not part or part in rule.body_parts:
        return None
    return f"body part {part} is not in body_parts {_listed(rule.body_parts)}"


def _by_sender(rule: Rule, _: InstanceHeader, sender: str) -> str | None:
    if not rule.senders or sender in rule.senders:
        return None
    return f"sender {sender} is not in senders {_listed(rule.senders)}"


def _by_manufacturer(rule: Rule, header: InstanceHeader, _: str) -> str | None:
    return _by_name("manufacturer", rule.manufacturers, header.manufacturer)


def _by_institution(rule: Rule, header: InstanceHeader, _: str) -> str | None:
    return _by_name("institution", rule.institutions, header.institution_name)


def _by_name(what: str, patterns: Iterable[str], name: str) -> str | None:
    named = tuple(patterns)
    if not named or any(fnmatchcase(name.casefold(), pattern.casefold()) for pattern in named):
        return None
    return f"{what} {name or 'absent'} is not in {what}s {_listed(named)}"


def _by_view(rule: Rule, header: InstanceHeader, _: str) -> str | None:
    view = header.view_position
    if rule.views:
        wanted = not view or view in rule.views
        return None if wanted else f"view position {view} is not in views {_listed(rule.views)}"
    # models of the chest know frontal images, unless their rule says otherwise
    lateral = view in _LATERAL_VIEWS and _may_be_a_chest(rule, header)
    return f"view position {view} is not frontal" if lateral else None


def _may_be_a_chest(rule: Rule, header: InstanceHeader) -> bool:
    part = header.body_part_examined
    return part == _CHEST if part else not rule.body_parts or _CHEST in rule.body_parts


def _by_age(rule: Rule, header: InstanceHeader, _: str) -> str | None:
    age = None if rule.age_years is None else age_of(header)
    if rule.age_years is None or age is None:
        return None
    youngest, oldest = rule.age_years
    # an oldest of 5 takes a child in until the sixth birthday, as an age of 005Y does; one of 0.5 says what it says
    if youngest <= age and (age < oldest + 1 if oldest == int(oldest) else age <= oldest):
        return None
    return f"age {age:.1f} is not within age_years {youngest:g} to {oldest:g}"


_QUESTIONS: tuple[Callable[[Rule, InstanceHeader, str], str | None], ...] = (
    _by_intent,
    _by_modality,
    _by_body_part,
    _by_sender,
    _by_manufacturer,
    _by_institution,
    _by_view,
    _by_age,
)


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(values) or "(none)"


def _images(count: int) -> str:
    return f"it has {count} image{'' if count == 1 else 's'} that the model reads"
