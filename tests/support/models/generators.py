"""A generator small enough to be made by a test: it has learned nothing, and paints grey clouds."""

from pathlib import Path

from models.bundle.manifest import TrainingData
from models.inference.generator import ATTRIBUTION, FORMAT, NETWORK, GeneratorManifest, write_manifest

LABELS = ("normal", "pneumonia")
SIZE, LATENT = 32, 4


def write_generator(folder: Path) -> Path:
    """Write an untrained generator into a new folder, always the same, and return it."""
    import keras  # noqa: PLC0415 - TensorFlow, for the tests that need it

    from models.networks.dcgan import generator  # noqa: PLC0415 - TensorFlow, for the tests that need it
    from models.training.adversaries import exported_generator  # noqa: PLC0415 - the same

    keras.utils.set_random_seed(1)
    folder.mkdir(parents=True)
    (folder / NETWORK).write_bytes(exported_generator(generator(SIZE, LATENT, len(LABELS), 4, 8)))
    (folder / ATTRIBUTION).write_text("Made up for a test.\n", encoding="utf-8")
    write_manifest(folder, _manifest())
    return folder


def _manifest() -> GeneratorManifest:
    return GeneratorManifest(
        format=FORMAT,
        name="clouds",
        version="1",
        created_at="2026-01-02T03:04:05+00:00",
        labels=LABELS,
        latent=LATENT,
        spread=1.0,
        size=SIZE,
        data=TrainingData("made up", "no licence", "nobody"),
        recipe={},
        seed=1,
        software={},
        measures={},
        files={},
    )
