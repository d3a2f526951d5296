"""How long work tells of its progress; it does not know who listens."""

from collections.abc import Callable

Reporter = Callable[[str, int, int], None]
"""The stage, how much of it is done, how much there is."""
