"""Names of the columns of a table of images: one that is almost a known one is a slip, and not a column of its own.

It knows names, no rows.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from difflib import SequenceMatcher
from pathlib import Path

from models.data.labelled import DataError

ALIKE = 0.82
"""Share of common letters, as `difflib` counts them, from which two names are taken for one: patient_id is patient,
grp is not group, and study_instance_uid is not sop_instance_uid (0.80)."""


def refuse_odd_columns(path: Path, columns: Sequence[str], known: Collection[str]) -> None:
    """Refuse a table whose header has a column twice, or one that is almost a known one.

    Parameters
    ----------
    path
        The table's file, for the message.
    columns
        The names in its header.
    known
        Names with a meaning.

    Raises
    ------
    DataError
        Naming the column, and for a slip the known one that is nearest.
    """
    for name, times in Counter(columns).items():
        if times > 1 and name:
            raise DataError(f"{path} has the column {name!r} {times} times: keep one")
        if near := nearest(name, known):
            raise DataError(
                f"{path} has the column {name!r}: call it {near!r} if it is meant, else something less alike"
            )


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the known name that a name was probably meant to be, or None where it is one or is like none."""
    if name in known:
        return None
    alike, near = max((_alike(_letters(name), _letters(other)), other) for other in sorted(known))
    return near if alike >= ALIKE else None


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _alike(one: str, other: str) -> float:
    """Return the share of common letters, 1 where they only stand in another order."""
    return 1.0 if sorted(one) == sorted(other) else SequenceMatcher(None, one, other, autojunk=False).ratio()
