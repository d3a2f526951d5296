"""Manifests that a careful forger changes."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.bundle.manifest import Manifest, manifest_digest, sealed
from models.strict import build


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a manifest in place."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def vouch_for(folder: Path, name: str) -> None:
    """Make the manifest agree with the files again, as a careful forger would."""

    def change(manifest: dict[str, Any]) -> None:
        manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        manifest.update(asdict(sealed(build(Manifest, manifest, "manifest"))))

    edit(folder, change)


def edit_and_seal(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a manifest and make its own digest agree again, so that only the values themselves can be refused."""

    def sealing(manifest: dict[str, Any]) -> None:
        change(manifest)
        manifest["manifest_digest"] = manifest_digest(manifest)

    edit(folder, sealing)
