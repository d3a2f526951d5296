"""The gate over values: what is promoted, refused or kept in shadow, and what is written down."""

import json
from dataclasses import replace

import numpy as np
import pytest

from models.gate.gate_values import Answers, GateError, LockedSet, Said
from models.gate.judge import judge
from models.gate.protocol import Protocol
from models.gate.verdict import Criterion, Outcome, State, Verdict

PROTOCOL = Protocol(seed=1, draws=300)
IMAGES = 400


def _random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _locked(name: str = "site", *, target: bool = True, images: int = IMAGES, each: int = 1) -> LockedSet:
    """Return a set of which half the images show the class; a patient has `each` of them, all of one kind."""
    numbers = np.arange(images)
    patients = tuple(str(number // (2 * each) * 2 + number % 2) for number in numbers)
    return LockedSet(name, "1", "ab" * 32, {"opacity": numbers % 2 == 1}, patients, target=target)


def _probabilities(locked: LockedSet, separation: float, seed: int = 0) -> np.ndarray:
    """Return calibrated probabilities: of two normal distributions so far apart, in standard deviations."""
    signs = np.where(locked.present["opacity"], 0.5, -0.5)
    values = separation * signs + _random(seed).normal(size=len(signs))
    return 1.0 / (1.0 + np.exp(-separation * values))


def _answers(version: str, probabilities: dict[str, np.ndarray], threshold: float = 0.5) -> Answers:
    said = {name: Said({"opacity": values}) for name, values in probabilities.items()}
    return Answers("model", version, f"2.25.{version}", {"opacity": threshold}, said)


def _judged(locked: LockedSet, before: np.ndarray, after: np.ndarray, protocol: Protocol = PROTOCOL) -> Verdict:
    champion, challenger = _answers("1", {locked.name: before}), _answers("2", {locked.name: after})
    return judge(protocol, champion, challenger, {locked.name: locked})


def _missed(verdict: Verdict) -> set[str]:
    return {one.name for one in verdict.criteria if one.state is State.MISSED}


def _one(verdict: Verdict, name: str, part: str = "") -> Criterion:
    (found,) = (one for one in verdict.criteria if (one.name, one.part) == (name, part))
    return found


def test_what_answers_a_little_better_is_promoted() -> None:
    """Every criterion is met and written down with figure and bound; there is no reason against it."""
    locked = _locked()
    before = _probabilities(locked, 3.0)
    verdict = _judged(locked, before, np.where(locked.present["opacity"], np.minimum(before + 0.01, 1.0), before))
    assert (verdict.outcome, verdict.reasons) == (Outcome.PROMOTED, ())
    assert {one.name for one in verdict.criteria} == {
        *("numbers", "AUC (DeLong)", "AUC (patients drawn)", "AUC of the target"),
        *("sensitivity", "specificity", "calibration error"),
    }
    area = _one(verdict, "AUC (DeLong)")
    assert area.bound == -0.01
    assert area.judged == area.lower
    assert area.text.endswith("the worse end of the interval must be above -0.01")


def test_what_answers_the_same_is_promoted() -> None:
    """The differences are nothing, and the target is not worse."""
    locked = _locked()
    before = _probabilities(locked, 2.0)
    assert _judged(locked, before, before.copy()).outcome is Outcome.PROMOTED


def test_a_loss_on_any_locked_set_refuses() -> None:
    """However much is gained on the target: this is how forgetting is seen."""
    site, starter = _locked(), _locked("starter", target=False)
    old, worse = _probabilities(starter, 4.0), _probabilities(starter, 2.0, 1)
    champion = _answers("1", {"site": _probabilities(site, 0.5), "starter": old})
    challenger = _answers("2", {"site": _probabilities(site, 3.0), "starter": worse})
    verdict = judge(PROTOCOL, champion, challenger, {"site": site, "starter": starter})
    assert verdict.outcome is Outcome.REFUSED
    assert {(one.name, one.locked_set) for one in verdict.criteria if one.state is State.MISSED} >= {
        ("AUC (DeLong)", "starter"),
        ("AUC (patients drawn)", "starter"),
    }
    (progress,) = verdict.progress
    assert progress.learning is not None
    assert progress.learning > 0.2
    assert progress.retention is not None
    assert progress.retention < -0.03
    assert progress.potential is not None
    assert progress.potential < -0.2


def test_a_target_that_is_a_little_worse_refuses() -> None:
    """Within the margin of the AUC, so that only this criterion is missed."""
    locked = _locked()
    before = _probabilities(locked, 3.0)
    after = before.copy()
    after[np.flatnonzero(locked.present["opacity"])[0]] = 0.5  # one of 200 falls among the others
    verdict = _judged(locked, before, np.where(locked.present["opacity"], after, after))
    assert _missed(verdict) == {"AUC of the target"}


def test_a_threshold_that_calls_less_or_more_refuses() -> None:
    """The same probabilities at another operating point: too few are found, or too many called."""
    locked = _locked()
    values = {"site": _probabilities(locked, 2.0)}
    for threshold, criterion in ((0.8, "sensitivity"), (0.1, "specificity")):
        verdict = judge(PROTOCOL, _answers("1", values), _answers("2", values, threshold), {"site": locked})
        assert _missed(verdict) == {criterion}


def test_probabilities_that_mean_less_refuse() -> None:
    """In the same order, at the same operating point, and pushed to the ends."""
    locked = _locked()
    before = _probabilities(locked, 1.0)
    verdict = _judged(locked, before, np.where(before > 0.5, 0.9 + before / 10, before / 10))
    assert _missed(verdict) == {"calibration error"}
    assert (_one(verdict, "calibration error").judged or 0.0) > 0.02


def test_calibration_and_specificity_are_asked_where_the_version_is_to_serve() -> None:
    """On a set of other patients it is written down and refuses nothing."""
    site, other = _locked(), _locked("other", target=False)
    before = _probabilities(site, 1.0)
    pushed = np.where(before > 0.5, 0.9 + before / 10, before / 10)
    champion = _answers("1", {"site": before, "other": before})
    verdict = judge(
        PROTOCOL, champion, _answers("2", {"site": before, "other": pushed}), {"site": site, "other": other}
    )
    assert (verdict.outcome, verdict.reasons) == (Outcome.PROMOTED, ())
    noted = {one.name: one for one in verdict.criteria if one.state is State.NOTED}
    assert noted.keys() == {"specificity", "calibration error"}
    assert {one.locked_set for one in noted.values()} == {"other"}
    assert (noted["calibration error"].difference or 0.0) > 0.02


def test_a_subgroup_that_loses_refuses() -> None:
    """The whole set gains meanwhile."""
    locked = _locked(images=1200)
    some = np.arange(1200) % 12 < 2
    sites = tuple(np.where(some, "small", "large").tolist())
    before, after = _probabilities(locked, 2.0), _probabilities(locked, 3.0)
    after[some] = _probabilities(locked, 1.0, 1)[some]
    verdict = _judged(replace(locked, attributes={"site": sites}), before, after)
    assert _one(verdict, "AUC of a subgroup", "site=small").state is State.MISSED
    assert _one(verdict, "AUC of a subgroup", "site=large").state is State.MET


def test_a_subgroup_with_few_patients_is_not_judged() -> None:
    """Nor a column that names images."""
    locked = _locked()
    few = tuple("few" if number < 40 else "many" for number in range(IMAGES))
    names = tuple(map(str, range(IMAGES)))
    before = _probabilities(locked, 2.0)
    verdict = _judged(replace(locked, attributes={"kind": few, "image": names}), before, before)
    assert {one.part for one in verdict.criteria if one.part} == {"kind=many"}


@pytest.mark.parametrize(
    "protocol",
    [
        replace(PROTOCOL, min_patients=401),
        replace(PROTOCOL, min_positives=201),
        replace(PROTOCOL, min_negatives=201),
    ],
)
def test_a_set_with_too_few_patients_promotes_nothing(protocol: Protocol) -> None:
    """Shadow, with the numbers as the reason, however good it looks."""
    locked = _locked()
    verdict = _judged(locked, _probabilities(locked, 2.0), _probabilities(locked, 4.0), protocol)
    assert verdict.outcome is Outcome.SHADOW
    assert "400 patients, 200 with it, 200 without" in verdict.reasons[0]


def test_a_small_set_that_shows_harm_refuses() -> None:
    """Too few to promote by are enough to see that it is worse beyond doubt."""
    locked = _locked(images=40)
    verdict = _judged(locked, _probabilities(locked, 3.0), _probabilities(locked, 0.0, 1))
    assert verdict.outcome is Outcome.REFUSED
    assert "certainly worse" in _one(verdict, "AUC (DeLong)").text


def test_one_kind_of_label_cannot_be_judged() -> None:
    """It stays in shadow; nothing fails."""
    locked = replace(_locked(), present={"opacity": np.ones(IMAGES, bool)})
    before = np.full(IMAGES, 0.7)
    verdict = _judged(locked, before, before)
    assert verdict.outcome is Outcome.SHADOW
    assert _one(verdict, "AUC (DeLong)").judged is None


def test_whole_patients_are_drawn() -> None:
    """Ten images of one child count as one child: the interval is as much wider, and DeLong's is not."""
    alone, together = _locked(images=100), _locked(images=1000, each=10)
    wide, repeated = _probabilities(alone, 1.0), _probabilities(alone, 1.5, 1)
    pairs = [
        np.concatenate([np.tile(values[start : start + 2], 10) for start in range(0, 100, 2)])
        for values in (wide, repeated)
    ]
    one, other = _judged(alone, wide, repeated), _judged(together, *pairs)

    def width(verdict: Verdict, name: str) -> float:
        found = _one(verdict, name)
        assert found.lower is not None
        assert found.upper is not None
        return found.upper - found.lower

    assert width(other, "AUC (patients drawn)") == pytest.approx(width(one, "AUC (patients drawn)"), rel=0.15)
    assert width(other, "AUC (DeLong)") < 0.4 * width(one, "AUC (DeLong)")


def test_a_challenger_that_lets_less_in_refuses() -> None:
    """It would say less often anything at all."""
    locked = _locked()
    before = _probabilities(locked, 2.0)
    champion, challenger = _answers("1", {"site": before}), _answers("2", {"site": before})
    fewer = Said({"opacity": before}, np.arange(IMAGES) % 10 > 0)
    verdict = judge(PROTOCOL, champion, replace(challenger, said={"site": fewer}), {"site": locked})
    assert _missed(verdict) == {"share admitted"}
    back = judge(PROTOCOL, replace(champion, said={"site": fewer}), challenger, {"site": locked})
    assert back.outcome is Outcome.PROMOTED


def test_a_class_that_is_gone_refuses_and_one_without_labels_stays_open() -> None:
    """The one is a loss, of the other nothing is known."""
    locked = _locked()
    before = _probabilities(locked, 2.0)
    two = {"opacity": 0.5, "effusion": 0.5}
    both = Said({"opacity": before, "effusion": before})
    champion = replace(_answers("1", {}), thresholds=two, said={"site": both})
    verdict = judge(PROTOCOL, champion, _answers("2", {"site": before}), {"site": locked})
    assert verdict.reasons == ("classes: the challenger does not know effusion any more",)
    unlabelled = judge(PROTOCOL, champion, replace(champion, version="2"), {"site": locked})
    assert (unlabelled.outcome, unlabelled.reasons) == (
        Outcome.SHADOW,
        ("classes: no locked set has labels of effusion",),
    )


def test_without_a_target_nothing_is_promoted() -> None:
    """Nobody would know whether those whom it is made for gain."""
    locked = _locked(target=False)
    before = _probabilities(locked, 2.0)
    assert _judged(locked, before, before).outcome is Outcome.SHADOW


def test_what_cannot_be_judged_is_refused_in_words() -> None:
    """No set, no answer, an answer to other images, and what is no probability."""
    locked = _locked()
    before = _probabilities(locked, 2.0)
    said, silent = _answers("1", {"site": before}), _answers("2", {})
    for answers, sets, word in (
        (said, {}, "no locked set"),
        (silent, {"site": locked}, "was not asked about the locked set site"),
        (_answers("2", {"site": before[:-1]}), {"site": locked}, r"says \(399,\) of 400 images"),
        (_answers("2", {"site": before + 1.0}), {"site": locked}, "not from 0 to 1"),
    ):
        with pytest.raises(GateError, match=word):
            judge(PROTOCOL, said, answers, sets)
    with pytest.raises(GateError, match=r"different lengths: \[399, 400\]"):
        replace(locked, patients=locked.patients[:-1])


def test_the_same_seed_gives_the_same_verdict_and_another_one_other_draws() -> None:
    """And all of it is JSON, with the protocol that it rests on."""
    locked = _locked()
    values = _probabilities(locked, 2.0), _probabilities(locked, 2.2, 1)
    first, again = _judged(locked, *values), _judged(locked, *values)
    text = json.dumps(first.as_json(), allow_nan=False)
    assert text == json.dumps(again.as_json(), allow_nan=False)
    other = _judged(locked, *values, replace(PROTOCOL, seed=2))
    assert _one(other, "AUC (patients drawn)").lower != _one(first, "AUC (patients drawn)").lower
    assert first.protocol_digest == PROTOCOL.digest != other.protocol_digest
    assert json.loads(text)["protocol"]["auc_margin"] == 0.01
