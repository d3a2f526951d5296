"""What a receiving process leaves out of memory; imported before what it takes.

The server that forks the processes imports this file first, then what they do, then `node.receiving.freeze`.
"""

import sys

# pydicom takes these along where they are installed, to decode pixels and to fetch samples, and structlog the last one,
# for tracebacks in colour. Nothing of it happens here. None is Python's word for a module that is not to be found.
_LEFT_OUT = ("numpy", "gdcm", "PIL", "pylibjpeg", "openjpeg", "libjpeg", "rle", "jpeg_ls", "requests", "tqdm", "rich")

sys.modules.update({name: None for name in _LEFT_OUT if name not in sys.modules})  # type: ignore[misc]
