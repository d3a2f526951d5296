"""Recipes for tests: each test says what it trains and how long, and whose classes and data these are stands here."""

from pathlib import Path

PNEUMONIA = """
[[classes]]
name = "pneumonia"
finding = ["233604007", "SCT", "Pneumonia"]
site = ["39607008", "SCT", "Lung"]
"""
_DATA = """
[data]
name = "drawn"
licence = "none needed"
attribution = "Drawn by the tests."
"""


def write_recipe(path: Path, trained: str, classes: str = PNEUMONIA) -> Path:
    """Write a recipe for one thread, called as its file is, with these tables of what is trained; return its path."""
    head = f'[recipe]\nname = "{path.stem}"\nversion = "0.0.1"\nthreads = 1\n'
    path.write_text(f"{head}{classes}{trained}{_DATA}", encoding="utf-8")
    return path
