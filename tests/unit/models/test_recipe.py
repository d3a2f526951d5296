"""Recipes are read strictly."""

from pathlib import Path

import pytest

import models
from models.training.recipe import RecipeError, read_recipe


def test_the_shipped_recipe_is_found_by_its_name() -> None:
    """`starter` is listed and complete."""
    assert "starter" in models.recipes()
    recipe = read_recipe("starter")
    assert recipe.findings.finding == ("233604007", "SCT", "Pneumonia")
    assert recipe.classifier.label_smoothing == 0.05
    assert recipe.data.attribution.startswith("Kermany")


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    """A misspelt name says what there is."""
    with pytest.raises(RecipeError, match="starter"):
        read_recipe("start")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epochs = 4", "epoch = 4", "recipe.classifier does not know epoch"),
        ("rate = 3e-3", "", "recipe.classifier lacks rate"),
        ("size = 64", "size = 'big'", "recipe.admission.size is 'big'"),
        ("[data]", "[date]", "does not know date"),
        ('"SCT", "Lung"]', '"SCT"]', "2 values instead of 3"),
        ("epochs = 4", "epochs = ", "Invalid value"),
    ],
)
def test_a_recipe_of_another_form_is_refused_by_key(
    tiny_recipe: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    """A key that is not understood would be a training that nobody asked for."""
    path = tmp_path / "odd.toml"
    path.write_text(tiny_recipe.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RecipeError, match=said):
        read_recipe(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("threads = 1", "threads = 0", r"recipe\.recipe\.threads is 0"),
        ("epochs = 4", "epochs = 0", r"recipe\.classifier\.epochs is 0"),
        ("batch = 16", "batch = -1", r"recipe\.classifier\.batch is -1"),
        ("size = 32", "size = 33", r"recipe\.classifier\.size is 33"),
        ("size = 64", "size = 1024", r"recipe\.admission\.size is 1024"),
        ("rate = 3e-3", "rate = 0", r"recipe\.classifier\.rate is 0\.0"),
        ("rate = 3e-3", "rate = nan", r"recipe\.classifier\.rate is nan"),
        ("rate = 2e-3", "rate = inf", r"recipe\.autoencoder\.rate is inf"),
        ("rate = 1e-3", "rate = 1e-3\nweight_decay = -1", r"recipe\.baseline\.weight_decay"),
        ("averaging = 0.5", "averaging = 1.0", r"recipe\.classifier\.averaging is 1\.0"),
        ("label_smoothing = 0.05", "label_smoothing = 2", r"recipe\.classifier\.label_smoothing"),
        ("width = 8", "width = 12", r"recipe\.autoencoder\.width is 12"),
        ("components = 32", "components = 0", r"recipe\.admission\.components is 0"),
        ("held_out_percentile = 99.5", "held_out_percentile = 49", r"recipe\.admission\.held_out_percentile"),
        ("held_out_percentile = 99.5", "held_out_percentile = 101", r"recipe\.admission\.held_out_percentile"),
        ('"SCT", "Pneumonia"]', '"", "Pneumonia"]', r"recipe\.findings\.finding"),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_table_and_key(
    tiny_recipe: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    """It is found when the recipe is read and not after minutes of training."""
    text = tiny_recipe.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "odd.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RecipeError, match=said):
        read_recipe(path)
