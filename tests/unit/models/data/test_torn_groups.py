"""A group is on one side of a split."""

from models.data.torn_groups import torn_groups


def test_a_group_in_two_splits_is_named_with_both() -> None:
    """Groups that stay together are not mentioned."""
    pairs = [("a", "train"), ("a", "train"), ("b", "train"), ("b", "test"), ("c", "val")]
    assert torn_groups(pairs) == {"b": ("test", "train")}
