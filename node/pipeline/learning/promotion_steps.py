"""The steps of a promotion, named so that a test can end the process at each; the product does nothing at any."""

from collections.abc import Callable
from enum import StrEnum


class PromotionStep(StrEnum):
    """What has just been done, in this order."""

    OPENED = "opened"
    """The bundle is intact; nothing is written."""

    REGISTERED = "registered"
    """The registry of models names the new version, in a transaction that is not committed."""

    MOVED = "moved"
    """The registry of versions does, too, in the same one."""

    COMMITTED = "committed"
    """Both do for everybody."""


PromotionReached = Callable[[PromotionStep], None]


def promotion_unobserved(_: PromotionStep) -> None:
    """Do nothing: what the product is given."""
