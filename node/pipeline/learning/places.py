"""Where in the data folder learning keeps things. It knows paths and nothing of what lies there.

::

    training/kept/train, kept/validation    pixels by the pseudonym of the image
    training/locked/kept                    those of the locked side
    training/locked/NAME-vNUMBER            a frozen version, whole by itself
    training/runs/NUMBER                    the data set and the half-done work of a training
    bundles/MODEL-NUMBER                    what a training has made
    gate/RUN                                protocol, result and page of one verdict
"""

from dataclasses import dataclass
from pathlib import Path

from node.domain.split import Side


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of learning in one data folder."""

    data_dir: Path

    @property
    def root(self) -> Path:
        """All that is kept for learning."""
        return self.data_dir / "training"

    @property
    def locked(self) -> Path:
        """What no training reads."""
        return self.root / "locked"

    def pixels(self, side: Side, name: str) -> Path:
        """Where the pixels of an image lie."""
        folder = self.locked / "kept" if side is Side.LOCKED else self.root / "kept" / side.value
        return folder / f"{name}.npz"

    def locked_set(self, name: str, version: int) -> Path:
        """Return the folder of a frozen version."""
        return self.locked / f"{name}-v{version}"

    def run(self, number: int) -> Path:
        """Return the folder of a training under way."""
        return self.root / "runs" / str(number)

    def bundle(self, model: str, number: int) -> Path:
        """Return the folder of what a training makes."""
        return self.data_dir / "bundles" / f"{model}-{number}"

    def verdict(self, run: str) -> Path:
        """Return the folder of what the gate wrote down of one run."""
        return self.data_dir / "gate" / run
