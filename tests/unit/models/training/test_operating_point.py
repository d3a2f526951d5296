"""Where a challenger calls a class, over values."""

import numpy as np
import pytest

from models.training.operating_point import Validated, operating_point

LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
LIKELY = np.array([0.1, 0.1, 0.1, 0.4, 0.4, 0.3, 0.6, 0.6, 0.6, 0.6])


def test_a_point_is_balanced_where_nothing_is_to_be_kept() -> None:
    """One of the ill is missed, and none of the well is called."""
    assert 0.4 < operating_point([Validated(LABELS, LIKELY)]) <= 0.6


def test_a_point_misses_no_more_of_the_ill_than_the_champion() -> None:
    """The champion found all five: so does the challenger, at the price of two of the well."""
    assert 0.1 < operating_point([Validated(LABELS, LIKELY, kept=1.0)]) <= 0.3


def test_the_champion_is_asked_on_every_source() -> None:
    """The other source alone would be called at 0.85; there nothing is to be kept."""
    other = Validated(LABELS, np.where(LABELS == 1, 0.9, 0.8))
    assert operating_point([other]) == pytest.approx(0.85, abs=0.01)
    assert operating_point([Validated(LABELS, LIKELY, kept=0.8), other]) <= 0.6


def test_what_cannot_be_kept_does_not_stand_in_the_way() -> None:
    """An ill image at zero is called at no candidate: the balanced point stays."""
    lost = np.where(np.arange(10) == 5, 0.0, LIKELY)
    assert 0.4 < operating_point([Validated(LABELS, lost, kept=1.0)]) <= 0.6
