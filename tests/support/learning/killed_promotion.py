"""A promotion that ends its process with SIGKILL at a step.

``python -m tests.support.learning.killed_promotion CONFIG VERSION STEP``
"""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from node import config
from node.pipeline.learning.promotion import promote
from node.pipeline.learning.promotion_steps import PromotionStep


def main(configuration: Path, version: str, fatal: PromotionStep) -> None:
    """Promote a version of the model "starter" as far as to that step."""

    def reached(step: PromotionStep) -> None:
        if step is fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    promote(config.load(configuration), "starter", version, "Dr. Doe", datetime.now(UTC), reached=reached)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], PromotionStep(sys.argv[3]))
