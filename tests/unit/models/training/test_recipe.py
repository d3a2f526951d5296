"""Recipes are read strictly."""

from pathlib import Path

import pytest

import models
from models.training.recipe import RecipeError, read_recipe


def test_the_shipped_recipe_is_found_by_its_name() -> None:
    """`starter` is listed and complete."""
    assert "starter" in models.recipes()
    recipe = read_recipe("starter")
    assert recipe.classes[0].finding == ("233604007", "SCT", "Pneumonia")
    assert recipe.classifier.label_smoothing == 0.05
    assert recipe.data.attribution.startswith("Kermany")


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    """A misspelt name says what there is."""
    with pytest.raises(RecipeError, match="starter"):
        read_recipe("start")


@pytest.mark.parametrize("name", ["starter", "textbook-28", "textbook-224", "mnist"])
def test_every_shipped_recipe_can_be_trained_with(name: str) -> None:
    """Each is read without a complaint and says whose data it is for."""
    recipe = read_recipe(name)
    assert recipe.recipe.name == name
    assert recipe.data.licence


def test_several_classes_exclude_each_other_and_one_is_present_or_not() -> None:
    """Labels count classes, or 0 and 1."""
    digits, chest = read_recipe("mnist"), read_recipe("starter")
    assert digits.exclusive
    assert digits.label_names == tuple(f"digit {number}" for number in range(10))
    assert not chest.exclusive
    assert chest.label_names == ("no pneumonia", "pneumonia")


def test_what_learns_from_normals_needs_a_class_that_can_be_absent(tiny_recipe: Path, tmp_path: Path) -> None:
    """Of several classes nobody says which one is the normal one."""
    text = tiny_recipe.read_text(encoding="utf-8")
    another = (
        '[[classes]]\nname = "normal"\nfinding = ["1", "99T", "Normal"]\nsite = ["2", "99T", "Lung"]\n\n[classifier]'
    )
    path = tmp_path / "two.toml"
    path.write_text(text.replace("[classifier]", another, 1), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"a single class beside \[anomaly\]"):
        read_recipe(path)


def test_the_names_in_recipes_are_those_that_code_stands_behind() -> None:
    """A network or augmentation that a recipe may name is there."""
    from models.networks.classifiers import CLASSIFIERS  # noqa: PLC0415 TensorFlow only for this test
    from models.training import objectives, recipe  # noqa: PLC0415 the same

    assert set(CLASSIFIERS) == set(recipe.NETWORKS)
    assert set(objectives.AUGMENTATIONS) == set(recipe.AUGMENTATIONS)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epochs = 4", "epoch = 4", "recipe.classifier does not know epoch"),
        ("rate = 3e-3", "", "recipe.classifier lacks rate"),
        ("[admission]\nsize = 64", "[admission]\nsize = 'big'", "recipe.admission.size is 'big'"),
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
        ("threads = 1", "seeds = 0", r"recipe\.recipe\.seeds is 0"),
        ("threads = 1", "seeds = 2\nmembers = 3", r"recipe\.recipe\.members is 3"),
        ("[anomaly.one_class]\nsize = 32", "[anomaly.one_class]\nsize = 33", r"recipe\.anomaly\.one_class\.size is 33"),
        ("components = 16", "components = 0", r"recipe\.anomaly\.features\.components is 0"),
        ('"compact_resnet"', '"resnet_50"', r"recipe\.classifier\.network is 'resnet_50'.* compact_resnet, textbook"),
        ('"compact_resnet"', '"textbook_28"', r"recipe\.classifier\.size is 32, where 28, as textbook_28 is made"),
        ('"aug2"', '"mixup"', r"recipe\.classifier\.augmentation is 'mixup'"),
        ('name = "pneumonia"', 'name = ""', r"recipe\.classes is \[''\]"),
        ('name = "pneumonia"', 'name = "anomaly"', r"recipe\.classes is \['anomaly'\], where another name than"),
        ('name = "tiny"', 'name = ""', r"recipe\.recipe\.name is '', where some text"),
        ('version = "0.0.1"', 'version = " "', r"recipe\.recipe\.version is ' '"),
        ("epochs = 4", "epochs = 0", r"recipe\.classifier\.epochs is 0"),
        ("batch = 16", "batch = -1", r"recipe\.classifier\.batch is -1"),
        ("size = 32", "size = 15", r"recipe\.classifier\.size is 15"),
        ("[anomaly.restoring]\nsize = 32", "[anomaly.restoring]\nsize = 33", r"recipe\.anomaly\.restoring\.size is 33"),
        ("[admission]\nsize = 64", "[admission]\nsize = 1024", r"recipe\.admission\.size is 1024"),
        ("rate = 3e-3", "rate = 0", r"recipe\.classifier\.rate is 0\.0"),
        ("rate = 3e-3", "rate = nan", r"recipe\.classifier\.rate is nan"),
        ("rate = 2e-3", "rate = inf", r"recipe\.anomaly\.restoring\.rate is inf"),
        ("rate = 1e-3", "rate = 1e-3\nweight_decay = -1", r"recipe\.baseline\.weight_decay"),
        ("averaging = 0.5", "averaging = 1.0", r"recipe\.classifier\.averaging is 1\.0"),
        ("label_smoothing = 0.05", "label_smoothing = 2", r"recipe\.classifier\.label_smoothing"),
        ("width = 8", "width = 12", r"recipe\.anomaly\.restoring\.width is 12"),
        ("components = 32\nheld", "components = 0\nheld", r"recipe\.admission\.components is 0"),
        ("held_out_percentile = 99.5", "held_out_percentile = 49", r"recipe\.admission\.held_out_percentile"),
        ("held_out_percentile = 99.5", "held_out_percentile = 101", r"recipe\.admission\.held_out_percentile"),
        ('"SCT", "Pneumonia"]', '"", "Pneumonia"]', r"recipe\.classes\[0\]\.finding"),
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
