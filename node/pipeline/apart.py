"""Work in a child process of its own: whatever ends the child, the caller goes on. It knows nothing of the work."""

from collections.abc import Callable
from typing import Any

from node.runtime.child import Child


def in_child(deadline_s: float, work: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function gives in a new child process, which then ends.

    Parameters
    ----------
    deadline_s
        Longest time, in seconds; then the child is killed.
    work, arguments
        A function of a module, and its arguments.

    Raises
    ------
    Permanent
        Where the work refuses.
    Transient
        Where the child died or was too slow.
    """
    child = Child(deadline_s)
    try:
        return child.call(work, *arguments)
    finally:
        child.stop()
