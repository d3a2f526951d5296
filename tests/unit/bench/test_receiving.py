"""What is sent to receivers, and what their ratios are held to."""

import io
from collections.abc import Callable

import pytest
from pydicom import Dataset, dcmread

from bench.receiving.aims import Aim
from bench.receiving.workloads import Workload, cr, ct, small

_RATE = Aim("rate", "node", "storescp", "rate", 0.8, 1.1)
_COST = Aim("cost", "node", "storescp", "CPU", 1.5, 1.0)


@pytest.mark.parametrize(
    ("aim", "value", "verdict"),
    [
        (_RATE, 1.1, "goal met"),
        (_RATE, 0.8, "floor met"),
        (_RATE, 0.79, "MISSED"),
        (_COST, 1.0, "goal met"),
        (_COST, 1.5, "floor met"),
        (_COST, 1.51, "MISSED"),
    ],
)
def test_a_ratio_is_held_to_floor_and_goal(aim: Aim, value: float, verdict: str) -> None:
    """Of a rate more is better, of a cost less."""
    assert aim.verdict(value) == verdict


@pytest.mark.parametrize("make", [ct, cr, small])
def test_the_instances_of_a_run_have_uids_of_their_own(make: Callable[[int], Workload]) -> None:
    """As long as those of any other run, so that nothing else changes."""
    workload = make(2)
    first, second = (dict(workload.files(run)) for run in (1, 2))
    assert not first.keys() & second.keys()
    assert sorted(map(len, first.values())) == sorted(map(len, second.values()))
    for uid, whole in second.items():
        dataset = dcmread(io.BytesIO(whole))
        assert dataset.SOPInstanceUID == uid == dataset.file_meta.MediaStorageSOPInstanceUID
        assert ".100002." in dataset.StudyInstanceUID


@pytest.mark.parametrize("make", [ct, cr, small])
def test_a_header_is_as_long_as_those_of_scanners(make: Callable[[int], Workload]) -> None:
    """With what stands in its sequences."""
    workload = make(1)
    assert 120 <= _elements(dcmread(io.BytesIO(workload.templates[0]))) <= 150


def _elements(dataset: Dataset) -> int:
    nested = sum(_elements(item) for element in dataset if element.VR == "SQ" for item in element.value)
    return len(dataset) + nested
