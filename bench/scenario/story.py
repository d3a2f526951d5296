"""A story of steps that are each done once: what they found is kept, so that one that was ended goes on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Found = dict[str, Any]


class Story:
    """What the steps found so far, in a file.

    Parameters
    ----------
    path
        Of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.found: dict[str, Found] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def step(self, name: str, do: Callable[[], Found]) -> Found:
        """Do a step that was not done yet, and return what it found."""
        if name not in self.found:
            self.found[name] = do()
            self._path.write_text(json.dumps(self.found, indent=1) + "\n", encoding="utf-8")
            print(f"{name}: {json.dumps(self.found[name])[:400]}", flush=True)
        return self.found[name]

    def forget(self, *names: str) -> None:
        """Let steps be done again; what they found stays, as that of earlier ones."""
        for name in names:
            if name in self.found:
                self.found.setdefault("earlier", {}).setdefault(name, []).append(self.found.pop(name))
