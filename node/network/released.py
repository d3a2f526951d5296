"""An association that ended as it should, and what it had brought: plain values, which one process may hand to another.

References
----------
DICOM PS3.8 7.2 (A-RELEASE).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReleasedAssociation:
    """An association that its requestor released; one that was aborted or lost is none.

    Parameters
    ----------
    calling_ae_title
        Who released it.
    studies
        Study Instance UIDs of the images that came on it, each once.
    """

    calling_ae_title: str
    studies: tuple[str, ...]
