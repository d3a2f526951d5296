"""What a failed piece of work says to the operator, without patient data."""

from node.domain.errors import Permanent, Transient
from node.telemetry import place_of


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
    return f"unexpected {type(error).__name__} at {place_of(error)}"
