"""What a failed piece of work says to the operator, without patient data."""

import traceback
from pathlib import Path

from node.domain.errors import Permanent, Transient


def is_permanent(error: Exception) -> bool:
    """Return whether trying again is of no use."""
    return isinstance(error, Permanent)


def described(error: Exception) -> str:
    """Return one line about an error.

    The house's own errors speak for themselves. Of any other only the type and the place are told: its message may
    quote a dataset.
    """
    if isinstance(error, (Permanent, Transient)):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"unexpected {type(error).__name__}{place}"
