"""The scripts in bench/ import one another by their names, as they do when they are run."""

import sys

from tests.support.nodes import CHECKOUT

sys.path.append(str(CHECKOUT / "bench"))
