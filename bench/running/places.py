"""Where a benchmark finds the checkout, and the public data sets beside it (docs/training.md names them)."""

from tests.support.nodes.process import CHECKOUT

DATA = CHECKOUT.parent / "shared" / "data"

__all__ = ["CHECKOUT", "DATA"]
