"""Who is forgotten, kept where a backup cannot undo it: in the data folder, and beside the backups made of it.

It holds pseudonyms of patients and images, keyed as in the database, and names nobody. The database says the same; a
backup's database is of the day it was made.

::

    forgotten.json      pseudonyms; in a data folder also the folders in which its backups lie
"""

import json
from collections.abc import Collection
from pathlib import Path

from node.domain.errors import OperatorError

FILE = "forgotten.json"
FORGOTTEN = "the patient is to be forgotten"
"""Why nothing of a patient is used."""

_PSEUDONYMS, _BACKUPS = "pseudonyms", "backups"


def pseudonyms_in(file: Path) -> set[str]:
    """Return who is forgotten by a file; nobody where there is none.

    Raises
    ------
    OperatorError
        Where it cannot be read.
    """
    return set(_read(file)[_PSEUDONYMS])


def note_backup(data_dir: Path, folder: Path) -> None:
    """Keep in a data folder where its backups lie."""
    said = _read(data_dir / FILE)
    place = str(folder.resolve().parent)
    if place not in said[_BACKUPS]:
        _write(data_dir / FILE, said | {_BACKUPS: sorted({*said[_BACKUPS], place})})


def note(data_dir: Path, pseudonyms: Collection[str]) -> tuple[list[str], list[str]]:
    """Keep who is forgotten, here and beside every backup.

    Returns
    -------
    tuple
        The folders beside whose backups it stands by now, and those that could not be written.
    """
    own = _read(data_dir / FILE)
    _write(data_dir / FILE, own | {_PSEUDONYMS: sorted({*own[_PSEUDONYMS], *pseudonyms})})
    reached, missed = list[str](), list[str]()
    for place in own[_BACKUPS]:
        file = Path(place) / FILE
        try:
            _write(file, {_PSEUDONYMS: sorted(pseudonyms_in(file) | set(pseudonyms))})
            reached.append(place)
        except (OperatorError, OSError):
            missed.append(place)
    return reached, missed


def _read(file: Path) -> dict[str, list[str]]:
    try:
        said = json.loads(file.read_bytes())
        return {name: [str(one) for one in said.get(name, ())] for name in (_PSEUDONYMS, _BACKUPS)}
    except FileNotFoundError:
        return {_PSEUDONYMS: [], _BACKUPS: []}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise OperatorError(f"{file} cannot be read: {error}; put it back from beside a backup") from error


def _write(file: Path, said: dict[str, list[str]]) -> None:
    new = file.with_name(f".{file.name}.new")
    new.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    new.replace(file)
