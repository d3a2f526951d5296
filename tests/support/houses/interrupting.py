"""Files in whose use something comes in between."""

from collections.abc import Callable
from pathlib import Path

from node.store.disk.files import InstanceFiles


class Interrupting(InstanceFiles):
    """Files of a store; the first use of one waits for what comes in between."""

    def __init__(self, folder: Path, between: Callable[[], object]) -> None:
        super().__init__(folder)
        self._between: Callable[[], object] | None = between

    def path(self, relative: str) -> Path:
        """Return where a file lies, after what comes in between."""
        between, self._between = self._between, None
        if between is not None:
            between()
        return super().path(relative)
