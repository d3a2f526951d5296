"""How the C library hands out memory to threads.

It knows nothing of what the memory is for.
"""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of the GNU C library
_ARENAS = 2
_KEPT_BYTES, _LARGE_BYTES = 128 << 20, 32 << 20  # the second is the most that the library takes


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


def keep_what_is_freed() -> bool:
    """Have this process use its memory again instead of giving it back and asking anew; return whether it does so.

    For a child that decodes image after image: each takes some 10 MB for milliseconds, and pages that come from the
    system are cleared first and taken away by stopping all threads. With radiographs of 2 MB, the starter, and a
    thread that decodes beside the networks, this takes the processor's time for an image from 17 to 12 ms. At most
    128 MiB are kept, and what is larger than 32 MiB goes back at once. To be called before threads are started.

    References
    ----------
    mallopt(3), M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_ARENA_MAX
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _LARGE_BYTES), (_M_TRIM_THRESHOLD, _KEPT_BYTES))
    return all(mallopt(what, value) for what, value in wanted)
