"""The learned part: arrays in, numbers out.

The only home of TensorFlow, Keras, LiteRT and scikit-learn. It knows no DICOM, no database and no node; training,
serving and evaluation go through the same preprocessing. Only `models.training` and `models.networks` cost TensorFlow.
"""

from pathlib import Path

STARTER = Path(__file__).parent / "starter"
"""The bundle that ships."""


def recipes() -> dict[str, Path]:
    """Return the training recipes that ship, by name."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "recipes").glob("*.toml"))}
