"""What a failed piece of work says to the operator, without patient data."""

import errno

from node.domain.errors import NoSpace, Permanent, Transient
from node.telemetry import place_of


def is_permanent(error: Exception) -> bool:
    """Return whether trying again is of no use."""
    return isinstance(error, Permanent)


def of_file(error: OSError, what: str) -> Transient:
    """Return what a file that could not be read or written means to the work.

    Parameters
    ----------
    error
        What the system said.
    what
        What could not be done, as the beginning of a sentence.
    """
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return NoSpace(f"{what}: no space left on the disk: free space, then it goes on by itself")
    return Transient(f"{what}: {error.strerror or error}")


def described(error: Exception) -> str:
    """Return one line about an error.

    The house's own errors speak for themselves. Of any other only the type and the place are told: its message may
    quote a dataset.
    """
    if isinstance(error, (Permanent, Transient)):
        return str(error)
    return f"unexpected {type(error).__name__} at {place_of(error)}"
