"""What a peer's counts say of a study."""

import pytest

from node.pipeline.analysis.counting import are_equal

HELD = {"1.1": 3, "1.2": 2}


def _series(uid: str, count: object, modality: str = "CT") -> dict[str, str]:
    return {"SeriesInstanceUID": uid, "Modality": modality, "NumberOfSeriesRelatedInstances": str(count)}


@pytest.mark.parametrize(
    ("answers", "equal"),
    [
        ([_series("1.1", 3), _series("1.2", 2)], True),
        ([_series("1.1", 3), _series("1.2", "2 ")], True),
        ([_series("1.1", 4), _series("1.2", 2)], False),  # more is to come
        ([_series("1.1", 3), _series("1.2", 2), _series("1.3", 1)], False),
        ([_series("1.1", 3)], False),  # it holds less than it sent: it says nothing of the whole
        ([_series("1.1", 3), _series("1.2", 2), _series("1.9", 1, "SR")], True),  # our own report, and notes
        ([_series("1.1", 3), _series("1.2", 7, "PR")], True),  # of what is no image it need not have sent all
        ([_series("1.1", ""), _series("1.2", 2)], None),  # it does not count
        ([], None),
        ([_series("1.9", 1, "SR")], None),
    ],
)
def test_counts_are_compared_series_by_series(answers: list[dict[str, str]], equal: bool | None) -> None:  # noqa: FBT001
    """What is no image is left out on both sides; where nothing is counted, nothing is said."""
    assert are_equal(answers, HELD) is equal
