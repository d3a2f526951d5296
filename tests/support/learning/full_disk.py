"""One try of the next training on a disk that is full: run in a mount namespace of its own, as a program.

python -m tests.support.learning.full_disk SETTINGS.json NOW
"""

import random
import sys
from datetime import datetime
from pathlib import Path

from node.config import Settings
from node.domain.errors import Transient
from node.pipeline.learning.retrain import Retrainer, Site
from node.runtime.child import Child
from node.runtime.keeping import Keeper
from node.store.database import Database


def main(path: Path, now: datetime) -> None:
    """Claim a training, fail at it, and settle it."""
    settings = Settings.model_validate_json(path.read_text(encoding="utf-8"))
    database = Database.open(settings.database.url)
    site = Site(settings, database, lambda: now, random.Random(1), Keeper(15.0), "full")
    retrainer = Retrainer(site, lambda: Child(120.0, memory_mb=16384))
    run = retrainer.claim()
    if run is None:
        sys.exit("no training waits")
    try:
        retrainer.handle(run)
    except Transient as error:
        retrainer.fail(run, error)
    database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]))
