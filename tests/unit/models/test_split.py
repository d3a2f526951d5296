"""A group is on one side of a split."""

from collections import Counter

import pytest

from models.split import split_of, torn_groups


def test_a_group_in_two_splits_is_named_with_both() -> None:
    """Groups that stay together are not mentioned."""
    pairs = [("a", "train"), ("a", "train"), ("b", "train"), ("b", "test"), ("c", "val")]
    assert torn_groups(pairs) == {"b": ("test", "train")}


def test_a_group_always_gets_the_same_split() -> None:
    """Other groups, their order and their number do not matter."""
    shares = {"train": 0.8, "val": 0.1, "test": 0.1}
    assert len({split_of("patient 7", "salt", shares) for _ in range(5)}) == 1


def test_splits_get_about_their_shares() -> None:
    """Ten thousand groups land within two percent of what was asked for."""
    shares = {"train": 3.0, "val": 1.0}
    counts = Counter(split_of(str(number), "salt", shares) for number in range(10_000))
    assert abs(counts["train"] / 10_000 - 0.75) < 0.02


def test_another_salt_makes_another_split() -> None:
    """Two data sets of the same patients need not be split alike."""
    shares = {"a": 0.5, "b": 0.5}
    one, other = ([split_of(str(number), salt, shares) for number in range(100)] for salt in ("x", "y"))
    assert one != other


@pytest.mark.parametrize("shares", [{}, {"a": 0.0}, {"a": -1.0, "b": 2.0}])
def test_shares_that_are_none_are_refused(shares: dict[str, float]) -> None:
    """A split into nothing is an error."""
    with pytest.raises(ValueError, match="positive"):
        split_of("a", "salt", shares)
