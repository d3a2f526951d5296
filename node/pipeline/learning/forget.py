"""A patient forgotten: whatever is kept of one for learning goes, and the versions that learned from it are named.

The clinical store is left as it is: images, readings and reports of a patient go by the archive's rules, and labels
came as objects that are stored there. What stays for learning is that a pseudonym is to be left out, so that nothing of
the patient is kept again, and which trainings learned from it, so that this can be asked again.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.lifecycle import State
from node.domain.split import Side
from node.pipeline.learning import forgotten
from node.pipeline.learning.forgotten import FORGOTTEN
from node.pipeline.learning.locked import freeze_without
from node.pipeline.learning.naming import names_of, naming
from node.pipeline.learning.places import Places
from node.pipeline.learning.salt import minted
from node.pipeline.opened import open_database
from node.store import audit
from node.store.arriving import merges
from node.store.arriving.merges import PatientName
from node.store.database import Database, Transaction
from node.store.learning import forgetting, locked_sets, retrainings, splits
from node.store.learning.forgetting import Whom
from node.store.registering import registry

_KNOWS_NOBODY = (
    "; WARNING: nobody is forgotten again, for this backup is older than the salt that the pseudonyms in "
    f"{forgotten.FILE} follow from. The node will learn from who was forgotten: before it starts, `pacs-node forget` "
    "each of those patients anew, or restore a later backup"
)

FORGET_COLUMNS = ("model", "version", "run", "trained_at", "images", "serves", "verdict")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was done."""

    said: str
    versions: list[dict[str, Any]]  #: as `forget` returns them


def forget(settings: Settings, patient: PatientName, who: str, now: datetime) -> Forgotten:
    """Remove everything that is kept of a patient for learning, and name the versions trained on it.

    Merged names of the patient are one with it. Doing it again removes nothing more and names the same versions.

    Returns
    -------
    Forgotten
        Its versions each with ``model``, ``version``, ``run``, ``trained_at``, ``images`` (0: through the version that
        it began from), ``serves`` (whether it serves now), ``verdict``.

    Raises
    ------
    OperatorError
        Where no study here names the patient and nothing is kept of one.
    """
    with open_database(settings) as database:
        salt = minted(database, now)
        whose = database.read(lambda tx: naming(tx, salt, settings.retrain.issuer))
        names = database.read(lambda tx: names_of(tx, patient, whose))
        patients = {whose.plain(one) for one in names}
        studies = sorted({uid for one in names for uid in database.read(_studies_of(one))})
        _refuse_unknown(database, patient, patients, studies)
        images = database.read(lambda tx: forgetting.images_of(tx, salt, patients, studies))
        called = patients | database.read(lambda tx: forgetting.pseudonyms_of(tx, images))
        said = _removed(database, Places(settings.node.data_dir), Whom(patients, images, studies), called, who, now)
        said += _others(database, patient, names) + noted(database, settings.node.data_dir)
        return Forgotten(said, database.read(lambda tx: _versions(tx, called)))


def forget_again(database: Database, data_dir: Path, pseudonyms: set[str], now: datetime) -> str:
    """Remove from a restored node what was forgotten since the backup, and say so, or that it cannot be known.

    Parameters
    ----------
    database, data_dir
        The restored node's.
    pseudonyms
        Of patients and images (`node.pipeline.learning.forgotten`).
    now
        Aware.
    """
    salt, known = database.read(lambda tx: (splits.salt_of(tx), splits.barred(tx, FORGOTTEN)))
    pseudonyms = pseudonyms - known
    if not pseudonyms:
        return ""
    if salt is None:
        return _KNOWS_NOBODY
    named = database.read(forgetting.studies_by_patient)
    studies = {
        uid for uid, patient in named if splits.patient_of(salt, patient.issuer, patient.patient_id) in pseudonyms
    }
    images = pseudonyms | database.read(lambda tx: forgetting.images_of(tx, salt, pseudonyms, studies))
    called = pseudonyms | database.read(lambda tx: forgetting.pseudonyms_of(tx, images))
    said = _removed(database, Places(data_dir), Whom(pseudonyms, images, studies), called, "restore", now)
    return f"; who was forgotten since is forgotten again: {said}{noted(database, data_dir)}"


def noted(database: Database, data_dir: Path) -> str:
    """Keep who is forgotten beside the backups, too, and say what they still hold."""
    reached, missed = forgotten.note(data_dir, database.read(lambda tx: splits.barred(tx, FORGOTTEN)))
    said = "; exports that were written before still have rows of the patient"
    if reached:
        said += (
            f"; backups in {', '.join(reached)} hold the images until they are removed; a restore forgets them again"
        )
    if missed:
        said += f"; {', '.join(missed)} cannot be written: copy {data_dir / forgotten.FILE} beside the backups there"
    return said


def _removed(database: Database, places: Places, whom: Whom, called: set[str], who: str, now: datetime) -> str:
    """Remove rows and files, end trainings that have the patient in hand, and say what was removed."""
    ended, ending = database.write(lambda tx: _ended_runs(tx, called, who, now))
    patients, images = set(whom.patients), set(whom.images)
    frozen = freeze_without(database, places, patients, FORGOTTEN, now, images)
    _remove_locked(database, places, patients, images, now)
    gone = database.write(lambda tx: forgetting.forget(tx, whom, FORGOTTEN, now))
    _remove_files(places, images)
    for number in ended:
        shutil.rmtree(places.run(number), ignore_errors=True)
    database.write(lambda tx: audit.add(tx, now, "patient forgotten", by=who, images=gone.images))
    return (
        f"{gone.images} images and {gone.labels} labels are removed from what is kept for learning; new "
        f"versions of locked sets: {', '.join(f'{one.name} {one.version}' for one in frozen) or 'none'}"
    ) + "".join(f"; training {number} is being ended and registers no version" for number in ending)


def _refuse_unknown(database: Database, patient: PatientName, patients: set[str], studies: list[str]) -> None:
    placed = database.read(splits.all)
    if not studies and patients.isdisjoint(placed):
        raise OperatorError(f"no study here is of the patient {patient}, and nothing is kept of one: look at --issuer")


def _others(database: Database, patient: PatientName, names: set[PatientName]) -> str:
    """Return that others of the same number were left as they are."""
    issuers = database.read(lambda tx: merges.issuers(tx, patient.patient_id))
    others = [one for issuer in issuers if (one := PatientName(patient.patient_id, issuer)) not in names]
    named = ", ".join(f"of {one.issuer}" if one.issuer else "without an issuer" for one in others)
    return f"; the patients of this number {named} are left as they are (--issuer)" if named else ""


def _ended_runs(tx: Transaction, patients: set[str], who: str, now: datetime) -> tuple[list[int], list[int]]:
    """Ask for the end of trainings that know a patient's images; return those, and of them what is still in hand."""
    numbers = sorted(run.id for run in retrainings.trained_on(tx, patients))
    states = {number: retrainings.cancel(tx, number, who, now) for number in numbers}
    return numbers, [number for number, state in states.items() if state is State.RUNNING]


def _remove_locked(database: Database, places: Places, patients: set[str], images: set[str], now: datetime) -> None:
    """Take away every version that holds images of a patient: a frozen version loses no single image."""
    for version in database.read(lambda tx: locked_sets.holding(tx, patients, images)):
        shutil.rmtree(places.locked_set(version.name, version.version), ignore_errors=True)
        database.write(lambda tx, number=version.id: locked_sets.remove(tx, number, now))  # type: ignore[misc]


def _remove_files(places: Places, images: set[str]) -> None:
    """Remove whatever lies under the names of a patient's images, also what a kill left there without a row."""
    for name in images:
        for side in Side:
            place = places.pixels(side, name)
            place.unlink(missing_ok=True)
            place.with_name(f".{place.name}.new").unlink(missing_ok=True)
    for folder in places.locked.glob("*"):
        if any(file.stem in images for file in folder.glob("pixels/*.npz")):
            shutil.rmtree(folder, ignore_errors=True)


def _studies_of(patient: PatientName) -> Callable[[Transaction], list[str]]:
    return lambda tx: merges.studies_counted_as(tx, patient)


def _versions(tx: Transaction, patients: set[str]) -> list[dict[str, Any]]:
    serving = {(row.name, row.version) for row in registry.all(tx)}
    runs = [run for run in retrainings.trained_on(tx, patients) if run.version]
    images = retrainings.images_of(tx, patients)
    return [
        {
            "model": run.model,
            "version": run.version,
            "run": run.id,
            "trained_at": run.settled_at and run.settled_at.isoformat(),
            "images": images.get(run.id, 0),
            "serves": (run.model, run.version) in serving,
            "verdict": run.verdict,
        }
        for run in runs
    ]
