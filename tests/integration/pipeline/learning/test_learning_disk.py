"""A disk that is full while a training set is written, and what `check` says before."""

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from node.config import StorageSettings
from node.pipeline.checks import learning_checks
from node.pipeline.learning import learning_listing
from node.pipeline.learning.training_request import model_to_train, request
from tests.support.houses.house import House
from tests.support.learning.site import LearningSite

_ROOT = Path(__file__).resolve().parents[4]
_ALONE = ("unshare", "--user", "--map-root-user", "--mount")


def _may_mount() -> bool:
    return bool(shutil.which("unshare")) and not subprocess.run([*_ALONE, "true"], check=False).returncode


NEEDS_MOUNT = pytest.mark.skipif(not _may_mount(), reason="this system lets nobody but root mount a file system")

_FIT = """
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models import STARTER
from models.data.labelled import LabelledImages
from models.training.site_fit import fitted_to_site

pixels = (np.zeros((8, 8), np.uint8),)
one = LabelledImages(pixels, np.zeros(1, np.int64), ("g",), ("n",), attributes={"source": ("site",)})
try:
    fitted_to_site(STARTER, one, Path(sys.argv[1]) / "bundle", datetime(2026, 1, 1, tzinfo=UTC), calibrates=False)
except OSError as error:
    sys.exit(error.errno)
"""


def _on_a_full_disk(place: Path, *program: str) -> subprocess.CompletedProcess[str]:
    """Run a program that finds a file system of 16 KB at a place."""
    place.mkdir(parents=True)
    mounted = f'mount -t tmpfs -o size=16k none "{place}" && exec "$@"'
    command = [*_ALONE, "sh", "-c", mounted, "sh", sys.executable, *program]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)


@NEEDS_MOUNT
def test_a_bundle_that_finds_no_room_says_so(tmp_path: Path) -> None:
    """With the system's own number, by which the training knows that it is to wait."""
    done = _on_a_full_disk(tmp_path / "bundles", "-c", _FIT, str(tmp_path / "bundles"))
    assert done.returncode == errno.ENOSPC, done.stderr


@pytest.mark.database("sqlite")
@NEEDS_MOUNT
def test_a_training_waits_for_room_on_a_full_disk(house: House) -> None:
    """A real file system of 16 KB: the reason is said, no attempt is counted, and with room it goes on."""
    site = LearningSite(house, {"replay": ["/nowhere"]})
    site.patients(30)
    site.collect()
    model = house.database.read(lambda tx: model_to_train(tx, site.settings, ""))
    assert request(house.database, site.settings, model, "ada", "once", house.clock()).run is not None
    settings = house.folder / "settings.json"
    settings.write_text(site.settings.model_dump_json(), encoding="utf-8")
    program = ("-m", "tests.support.learning.full_disk", str(settings), house.clock().isoformat())
    done = _on_a_full_disk(site.places.run(1).parent, *program)
    assert done.returncode == 0, done.stderr
    (row,) = learning_listing.listed(site.settings)
    assert row["state"] == "waiting"
    assert row["reason"].endswith("be written: no space left on the disk: free space, then it goes on by itself")
    house.clock.forward(601)
    run = site.retrainer().claim()
    assert run is not None
    assert run.failures == 0


@pytest.mark.database("any")
def test_check_names_models_nobody_knows_and_a_disk_too_small(house: House) -> None:
    """What is labelled and not kept yet needs room; where all is kept, or nothing is labelled, nothing is said."""
    site = LearningSite(house, {"models": ["nosuch"]})
    (line,) = learning_checks.kept(site.settings, house.database)
    assert (line.verdict, line.text) == ("fault", "[retrain] models: no model 'nosuch'; there are: starter")
    site.retrain = {}
    site.patients(3)
    assert list(learning_checks.kept(site.settings, house.database)) == []
    narrow = site.settings.model_copy(update={"storage": StorageSettings(min_free_mb=10**9)})
    (line,) = learning_checks.kept(narrow, house.database)
    assert "the 3 labelled images that are not kept yet may take 102 MB, and 0 MB are free above" in line.text
