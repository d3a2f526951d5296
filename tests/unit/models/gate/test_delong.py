"""The difference of two AUCs: DeLong's own numbers, and every pair of images counted one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.gate.delong import paired

# DeLong, DeLong and Clarke-Pearson 1988, the patients with all three tests: albumin, total protein, K-G score, benefit
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1
3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1
4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""


@pytest.mark.parametrize(
    ("column", "area", "difference", "error", "interval"),
    [(0, 0.7366, 0.0108, 0.0953, (-0.1761, 0.1976)), (1, 0.6478, -0.0780, 0.1046, (-0.2830, 0.1271))],
)
def test_the_published_example_comes_out(
    column: int, area: float, difference: float, error: float, interval: tuple[float, float]
) -> None:
    """Areas, differences from the K-G score, their standard errors and intervals, to four digits."""
    table = np.array(OVARIAN.split(), float).reshape(-1, 4)
    found = paired(table[:, 3] == 1, -table[:, 2], table[:, column])
    assert (round(found.first, 4), round(found.second, 4)) == (0.7258, area)
    assert (round(found.difference, 4), round(found.standard_error, 4)) == (difference, error)
    assert tuple(round(end, 4) for end in found.interval(0.95)) == interval


def _kernel(there: float, absent: float) -> float:
    return 1.0 if there > absent else 0.5 if there == absent else 0.0


def _one_by_one(present: list[bool], first: list[int], second: list[int]) -> tuple[float, float]:
    """Return difference and standard error by the definition: every pair of images, no rank, no array."""
    there = [number for number, is_there in enumerate(present) if is_there]
    absent = [number for number, is_there in enumerate(present) if not is_there]

    def excess(one: int, other: int) -> float:
        return _kernel(second[one], second[other]) - _kernel(first[one], first[other])

    by_there = [sum(excess(one, other) for other in absent) / len(absent) for one in there]
    by_absent = [sum(excess(one, other) for one in there) / len(there) for other in absent]
    difference = sum(by_there) / len(there)
    variance = sum(
        sum((value - difference) ** 2 for value in values) / (len(values) - 1) / len(values)
        for values in (by_there, by_absent)
    )
    return difference, variance**0.5


scored = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=8)


@given(scored, scored)
def test_it_is_what_every_pair_of_images_says(there: list[tuple[int, int]], absent: list[tuple[int, int]]) -> None:
    """With many ties, few images and any scores."""
    present = [True] * len(there) + [False] * len(absent)
    first, second = ([pair[number] for pair in itertools.chain(there, absent)] for number in (0, 1))
    found = paired(np.array(present), np.array(first, float), np.array(second, float))
    difference, error = _one_by_one(present, first, second)
    assert found.difference == pytest.approx(difference, abs=1e-12)
    assert found.standard_error == pytest.approx(error, abs=1e-12)


def test_the_same_scores_differ_by_nothing() -> None:
    """Without any uncertainty: what answers alike is as good."""
    scores = np.array([0.1, 0.4, 0.2, 0.9])
    found = paired(np.array([False, True, False, True]), scores, scores)
    assert (found.difference, found.standard_error, found.interval(0.95)) == (0.0, 0.0, (0.0, 0.0))


def test_one_image_of_a_kind_is_too_few() -> None:
    """There is no variance to estimate."""
    with pytest.raises(ValueError, match="two images of either kind"):
        paired(np.array([True, False, False]), np.zeros(3), np.zeros(3))
