"""Which seeds the classifiers of a training have, and what the fitting of each is called. It knows recipes."""

from models.training.recipe import Recipe


def members_of(plan: Recipe, seed: int) -> tuple[int, ...]:
    """Return the seeds of the classifiers that ship: the first ones, whatever they reach."""
    return tuple(range(seed, seed + plan.recipe.members))


def further_seeds_of(plan: Recipe, seed: int) -> tuple[int, ...]:
    """Return the seeds of the classifiers that only measure how far seeds lie apart."""
    return tuple(range(seed + plan.recipe.members, seed + plan.recipe.seeds))


def classifier_stage(plan: Recipe, seed: int) -> str:
    """Return what the fitting of one seed's classifier is called in the progress."""
    return "classifier" if plan.recipe.seeds == 1 else f"classifier, seed {seed}"
