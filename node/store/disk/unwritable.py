"""What an operator is told of a data folder that cannot be written. It writes nothing itself."""

from errno import EDQUOT, ENOSPC
from pathlib import Path

from node.domain.errors import OperatorError


def unwritable(data_dir: Path, error: OSError) -> OperatorError:
    """Return the refusal of a data folder, with the way out: room, where there is none.

    Parameters
    ----------
    data_dir
        The data folder.
    error
        What the system said.
    """
    way_out = "free space there" if error.errno in {ENOSPC, EDQUOT} else "make it writable for this user"
    said = f"the data folder {data_dir} cannot be written ({error.strerror})"
    return OperatorError(f"{said}: {way_out}, or set another [node] data_dir")
