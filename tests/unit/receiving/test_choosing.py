"""How many receiving processes a machine gets where the operator says nothing."""

from node.receiving.choosing import suited


def test_half_of_the_cores_receive_and_never_more_than_four() -> None:
    """On one or two the first process receives alone, which takes the least memory."""
    assert {cores: suited(cores) for cores in (1, 2, 3, 4, 6, 8, 64)} == {1: 1, 2: 1, 3: 1, 4: 2, 6: 3, 8: 4, 64: 4}
