"""How the C library hands out memory to threads.

It knows nothing of what the memory is for.
"""

import ctypes

_M_ARENA_MAX = -8  # malloc.h of the GNU C library
_ARENAS = 2


def share_arenas() -> bool:
    """Have all threads of this process share two arenas of memory; return whether the C library does so.

    By default the GNU C library gives threads up to eight arenas a core, and what one of them freed the others do not
    get. Threads that hold the interpreter one at a time gain nothing by that: with 50 associations that send instances
    of 18 MB, two arenas took a sixth off the node's memory. To be called before threads are started.

    References
    ----------
    mallopt(3), M_ARENA_MAX
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_ARENA_MAX, _ARENAS))
