"""The model card: every figure on it is measured, and it says what it was measured on."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from models.bundle.manifest import Anomaly, AnomalyPart
from models.evaluation.card import card, mean_and_range, positive_predictive_value, write_card
from models.evaluation.measures import Evaluation
from models.evaluation.robustness import ADULTS
from models.evaluation.surroundings import CardError, Surroundings, read_measures
from tests.support.models.evaluations import made_up, made_up_digits

ROW = {
    "name": "upside down",
    "n": 80,
    "admitted": 0.03,
    "auc": None,
    "auc_interval": None,
    "positive": 0.6,
    "of_ill": 1.0,
    "of_healthy": None,
}
OTHER = {
    "data": "digits",
    "bundle": "ten",
    "version": "2",
    "split": "test",
    "accuracy": 0.991,
    "maps": {},
    "intervals": {},
}


@pytest.fixture
def trained() -> Evaluation:
    """Return made-up figures of a bundle whose manifest tells of two seeds and of what was trained beside it."""
    evaluation = made_up()
    measures = {
        "seeds": [
            {"seed": 1, "hard_val": 0.91, "val": 0.99, "test": 0.97, "member": True},
            {"seed": 2, "hard_val": 0.93, "val": 0.98, "test": 0.95, "member": False},
        ],
        "test": {"baseline_auc": 0.9, "plain_autoencoder_auc": 0.461},
    }
    return replace(evaluation, manifest=replace(evaluation.manifest, measures=measures))


def test_the_card_names_bundle_and_data_by_their_digests(trained: Evaluation) -> None:
    """Those of the manifest, the images measured on and the images trained on."""
    text = card(trained, Surroundings("drawn"))
    for digest in ("m" * 64, "d" * 64, "t" * 64, "w" * 64):
        assert f"`{digest}`" in text


def test_the_card_tells_all_seeds_and_which_one_ships(trained: Evaluation) -> None:
    """The first, whatever it reached anywhere."""
    text = card(trained, Surroundings("drawn"))
    assert "| 1 (ships) | 0.910 | 0.990 | 0.970 |" in text
    assert "| 2 | 0.930 | 0.980 | 0.950 |" in text
    assert "The first seed ships, whatever it reaches" in text
    assert "**0.960** (0.950 to 0.970)" in text


def test_the_plain_autoencoder_is_called_weak_with_its_number(trained: Evaluation) -> None:
    """And stands in the table beside the textbook CNN and the shortcut."""
    text = card(trained, Surroundings("drawn"))
    assert "**weak on disease**: an AUC of 0.461" in text
    assert "sharpness alone, the shortcut: blurred images are called | drawn test | 0.600" in text
    assert "| textbook CNN, trained beside it without augmentation | drawn test | 0.900 |" in text


def test_other_images_and_other_bundles_have_their_rows(trained: Evaluation) -> None:
    """A dash stands for what cannot be said."""
    text = card(trained, Surroundings("drawn", robustness=(ROW,), beside=(OTHER,)))
    assert "| upside down | 3.0 % | - | 60.0 % | 100.0 % | - |" in text
    assert "| ten 2 | digits test | 0.991 accuracy |" in text


def test_every_table_has_as_many_cells_in_each_row(trained: Evaluation) -> None:
    """Or a reader's program would shift them."""
    text = card(trained, Surroundings("drawn", robustness=(ROW,), beside=(OTHER,)))
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1, table


def test_the_figures_beside_the_card_name_bundle_and_data(trained: Evaluation, tmp_path: Path) -> None:
    """Every picture on the card is there, and says in itself what it shows."""
    write_card(trained, tmp_path / "card.md", Surroundings("drawn"))
    pictures = re.findall(r'src="([^"]+)"', (tmp_path / "card.md").read_text(encoding="utf-8"))
    assert len(pictures) >= 5
    for picture in pictures:
        text = (tmp_path / picture).read_text(encoding="utf-8")
        assert f"bundle {'m' * 64}, data {'d' * 64}" in text


def test_a_bundle_of_several_classes_has_no_card() -> None:
    """Its page says all there is."""
    with pytest.raises(CardError, match="one class"):
        card(made_up_digits(), Surroundings("digits"))


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_that_was_learned_from_has_no_card(trained: Evaluation, split: str) -> None:
    """What a model was fitted to or chosen by says nothing of what it reaches."""
    with pytest.raises(CardError, match=f"the split {split} was learned from"):
        card(replace(trained, measures=trained.measures | {"split": split}), Surroundings("drawn"))


def test_a_file_without_measures_is_no_row(tmp_path: Path) -> None:
    """Neither what is no JSON nor what is another one's."""
    path = tmp_path / "measures.json"
    for text in ("{", "[]", json.dumps({"auc": 1})):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(CardError, match=r"measures\.json holds no measures"):
            read_measures(path)
    path.write_text(json.dumps(OTHER), encoding="utf-8")
    assert read_measures(path) == OTHER


def test_a_mean_stands_with_its_range() -> None:
    """Of three seeds."""
    assert mean_and_range([0.9, 0.8, 0.85]) == "**0.850** (0.800 to 0.900)"


def test_the_card_says_which_figures_include_images_that_admission_refuses(trained: Evaluation) -> None:
    """Of adults both stand there: of all of them, and of those that are read at all."""
    adults = {**trained.measures, "anomaly_auc": None, "admitted": 0.69}
    admitted = ROW | {"name": ADULTS, "auc": 0.427, "auc_interval": [0.343, 0.515]}
    measures = trained.measures | {"admitted": 0.99}
    text = card(replace(trained, measures=measures), Surroundings("drawn", robustness=(admitted,), adults=adults))
    assert "also of those that admission would refuse." in text
    assert "| measure, of all images, also of those refused |" in text
    assert "| AUC, of those admitted only | 0.427 | [0.343, 0.515] |" in text


def test_the_card_tells_how_the_anomaly_score_is_made(trained: Evaluation) -> None:
    """The weight of each part, by what it was chosen, and what the percentile is worth on plain normals."""
    parts = (AnomalyPart("restoring", "a", 64, 0, 1, 24, 0.5), AnomalyPart("one_class", "b", 64, 0, 1, 24, 1.0))
    manifest = replace(trained.manifest, anomaly=Anomaly(parts, 0, 1, tuple(range(101))))
    measures = trained.measures | {"anomaly_normals_above_95": 0.031}
    text = card(replace(trained, manifest=manifest, measures=measures), Surroundings("drawn"))
    assert "averaged with the others, weight 0.5" in text
    assert "weights were chosen with labelled validation images" in text
    assert "as they came, 3.1 % do" in text


def test_all_members_of_a_mean_are_marked(trained: Evaluation) -> None:
    """Where several seeds ship as one, the table marks each and says that their logits are averaged."""
    seeds = [
        {"seed": number, "hard_val": 0.9 + number / 100, "val": 0.9, "test": 0.9, "member": number < 2}
        for number in range(4)
    ]
    manifest = replace(trained.manifest, measures={"seeds": seeds})
    text = card(replace(trained, manifest=manifest), Surroundings("drawn"))
    assert [f"| {number} (ships)" in text for number in range(4)] == [True, True, False, False]
    assert "The first 2 seeds ship, whatever they reach, as the mean of their\nlogits" in text


def test_the_card_tells_what_the_training_of_what_ships_took(trained: Evaluation) -> None:
    """In minutes, apart from what was trained only to compare with; without a record it says nothing."""
    spent = {
        "threads": 2,
        "ships": {"classifier": {"wall": 60.0, "cpu": 90.0}, "admission": {"wall": 30.0, "cpu": 30.0}},
        "compared": {"baseline": {"wall": 600.0, "cpu": 900.0}},
    }
    text = card(trained, Surroundings("drawn", spent=spent))
    assert "| stage of the training, 2 threads | ships |" in text
    assert "| **all that ships** | yes | 1.5 | 2.0 |" in text
    assert "| baseline | no | 10.0 | 15.0 |" in text
    assert "stage of the training" not in card(trained, Surroundings("drawn"))


def test_the_story_of_the_public_chests_stands_on_no_other_card(trained: Evaluation) -> None:
    """Of other data nothing is said that nobody knows."""
    adults = {**trained.measures, "anomaly_auc": None}
    other = card(trained, Surroundings("drawn", robustness=(ROW,), adults=adults))
    for word in ("children", "Guangzhou", "shifted", "Adults are not", "hard_validation", "squeezes", "not made for"):
        assert word not in other, word
    assert trained.manifest.data is not None
    chests = replace(trained.manifest, data=replace(trained.manifest.data, name="chest_kermany"))
    text = card(replace(trained, manifest=chests), Surroundings("drawn", adults=adults))
    for word in ("children", "Guangzhou", "shifted", "Adults are not", "hard_validation", "squeezes", "not made for"):
        assert word in text, word


def test_the_card_says_what_a_positive_is_worth_where_few_are_ill(trained: Evaluation) -> None:
    """By Bayes: at 5 % with 90 % sensitivity and specificity, 32 % of those called are ill."""
    rates = {"sensitivity": 0.9, "specificity": 0.9}
    assert positive_predictive_value(rates, 0.05) == pytest.approx(0.045 / 0.14)
    assert positive_predictive_value({"sensitivity": 0.0, "specificity": 1.0}, 0.05) is None
    manifest = replace(trained.manifest, measures={"val": {"ece": 0.127}})
    text = card(replace(trained, manifest=manifest, measures=trained.measures | rates), Surroundings("drawn"))
    assert "called 32.1 % are ill where 5 % of all are" in text
    assert "it is 0.127" in text


def test_maps_of_other_bundles_stand_beside_only_on_the_same_images(trained: Evaluation) -> None:
    """The name of a folder is no proof of what was in it; the digest and the split are."""
    test = {
        "method": "Grad-CAM", "unit": "logits", "removal": "painted over", "n": 9, "area": 0.2, "region": 1.0,
        "random": 0.1, "mirrored": None, "above_random": 0.9, "over_random": 0.9, "over_random_interval": [0.5, 1.0],
    }  # fmt: skip
    same = OTHER | {"data": "renamed", "data_digest": "d" * 64, "maps": {"pneumonia": test}}
    assert "ten: pneumonia (Grad-CAM)" in card(trained, Surroundings("drawn", beside=(same,)))
    for change in ({"data_digest": "e" * 64}, {"split": "val"}):
        assert "ten: pneumonia" not in card(trained, Surroundings("renamed", beside=(same | change,)))
    other = same | {"data_digest": "e" * 64}
    assert "| renamed test, other images |" in card(trained, Surroundings("renamed", beside=(other,)))
    assert "other images" not in card(trained, Surroundings("renamed", beside=(same,)))
