"""On what a scenario ran: digests of the data, the checkout's commit, versions of what it stands on."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from models import STARTER
from models.bundle.folder import open_bundle

PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "numpy", "scikit-learn", "pydicom", "pynetdicom")


def origin(data: Path, checkout: Path, sets: Sequence[str], seed: int) -> dict[str, Any]:
    """Return what a run follows from."""
    starter = open_bundle(STARTER).manifest
    return {
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "commit": _git(checkout, "rev-parse", "HEAD"),
        "changed": [line[3:] for line in _git(checkout, "status", "--porcelain", "node", "models").splitlines()],
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "cores": os.cpu_count(),
        "starter": {"version": starter.version, "manifest": starter.manifest_digest},
        "manifests": {name: _digest(data / name / "manifest.csv") for name in sets},
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _git(checkout: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=checkout, check=True, capture_output=True, text=True)
    return done.stdout.rstrip()
