"""Whether images have changed: distances from a reference, and how often chance alone raises an alarm."""

import numpy as np
import pytest

from models.evaluation import drift

_NUMBERS = 12


def _images(random: np.random.Generator, patients: int, shift: float = 0.0) -> tuple[np.ndarray, list[str]]:
    """Return fingerprints of three images of each patient, which are more alike than those of several patients."""
    own = random.normal(shift, 1.0, (patients, 1, _NUMBERS))
    numbers = (own + random.normal(0.0, 0.3, (patients, 3, _NUMBERS))).reshape(-1, _NUMBERS)
    return numbers.astype(np.float32), [str(patient) for patient in range(patients) for _ in range(3)]


def _share_alarming(shift: float, windows: int = 60) -> float:
    random = np.random.default_rng(5)
    known = drift.reference(*_images(random, 100))
    chance = drift.null(known, 30, seed=1, draws=400)
    judged = [drift.judge(known, _images(random, 10, shift)[0], chance, 0.01) for _ in range(windows)]
    return float(np.mean([one.distance > one.limit for one in judged]))


def test_images_of_the_same_kind_raise_no_more_alarms_than_chance() -> None:
    """At one per cent: of sixty windows of other patients hardly one."""
    assert _share_alarming(0.0) <= 0.05


def test_images_of_another_kind_raise_one() -> None:
    """One standard deviation off in every number, ten patients are enough."""
    assert _share_alarming(1.0) == 1.0


def test_a_null_by_patients_is_wider_than_one_by_images() -> None:
    """Images of one patient are alike: whoever draws them one by one thinks chance smaller than it is."""
    numbers, patients = _images(np.random.default_rng(2), 100)
    by_patient = drift.null(drift.reference(numbers, patients), 30, seed=1, draws=300)
    by_image = drift.null(
        drift.reference(numbers, [str(place) for place in range(len(numbers))]), 30, seed=1, draws=300
    )
    assert np.quantile(by_patient, 0.99) > 1.5 * np.quantile(by_image, 0.99)


def test_the_same_seed_gives_the_same_null() -> None:
    """A verdict can be repeated."""
    known = drift.reference(*_images(np.random.default_rng(2), 30))
    assert np.array_equal(drift.null(known, 20, seed=9, draws=20), drift.null(known, 20, seed=9, draws=20))


def test_a_reference_that_is_too_small_is_refused() -> None:
    """With its size and the window's."""
    known = drift.reference(*_images(np.random.default_rng(2), 10))
    with pytest.raises(ValueError, match="30 images is too small for windows of 25"):
        drift.null(known, 25, seed=1)
    with pytest.raises(ValueError, match="no reference"):
        drift.reference(np.zeros((1, 3), np.float32), ["one"])
