"""Recipes are read strictly."""

from pathlib import Path

import pytest

import models
from models.recipe import RecipeError, read_recipe


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
