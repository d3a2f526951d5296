"""What every receiving process has in memory, imported once for all of them; and what none of them has.

The server that forks them imports this file, so what lies here is shared: pages that a process never writes to count
once, however many processes there are.
"""

import gc
import sys
from importlib import import_module

# pydicom takes these along where they are installed, to decode pixels and to fetch samples, and structlog the last one,
# for tracebacks in colour. Nothing of it happens here. None is Python's word for a module that is not to be found.
_LEFT_OUT = ("numpy", "gdcm", "PIL", "pylibjpeg", "openjpeg", "libjpeg", "rle", "jpeg_ls", "requests", "tqdm", "rich")
_TAKEN = ("node.receivers.serving", "sqlalchemy.dialects.postgresql.psycopg")

sys.modules.update({name: None for name in _LEFT_OUT if name not in sys.modules})  # type: ignore[misc]
for _name in _TAKEN:
    import_module(_name)
gc.collect()
gc.freeze()  # the collector would write to every object, and so give each process a copy of every page
