"""Asking for a training: by the schedule or an operator, refused with the reason where nothing could be learned.

It only reads labels and writes a row; the running node does the work (`node.pipeline.learning.retrain`).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.label import CurrentLabel
from node.domain.split import Side, side_of
from node.pipeline.learning.naming import Naming, naming
from node.pipeline.learning.salt import minted
from node.pipeline.learning.training_folder import label_names, label_of
from node.pipeline.registry import challengers
from node.pipeline.registry.catalogue import opened
from node.store.arriving.merges import PatientName
from node.store.database import Database, Transaction
from node.store.labelling import labels
from node.store.learning import retrainings
from node.store.learning.retrainings import Request
from node.store.registering import registry
from node.store.registering.registry import Registration

FEWEST = {Side.TRAIN: 20, Side.VALIDATION: 5}
"""Patients that each label needs on a side where nothing is replayed (`models.data.trainable.FEWEST_GROUPS`)."""

FEWEST_BESIDE = {Side.TRAIN: 5, Side.VALIDATION: 1}
"""The same beside data that are replayed, which hold the side: fewer would be remembered and not learned."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking."""

    run: int | None
    said: str  #: a sentence: what was asked for, or why nothing was


def model_to_train(tx: Transaction, settings: Settings, name: str) -> Registration:
    """Return the model that is meant: the named one, or the only one.

    Raises
    ------
    OperatorError
        Where there is no such model, or several and none is named.
    """
    rows = [row for row in registry.all(tx) if not challengers.is_challenger(tx, row)]
    wanted = (name,) if name else settings.retrain.models or tuple(row.name for row in rows)
    found = [row for row in rows if row.name in wanted]
    if name and not found:
        raise registry.no_model(name, [row.name for row in rows], exit_code=2)
    if len(found) != 1:
        known = ", ".join(row.name for row in rows) or "none"
        raise OperatorError(f"say which model is to be trained with --model NAME; registered: {known}", exit_code=2)
    return found[0]


def request(
    database: Database, settings: Settings, model: Registration, by: str, fired_by: str, now: datetime
) -> Asked:
    """Ask for a training of a model where its labels let anything be learned.

    Parameters
    ----------
    database, settings
        The node's.
    model
        Whose labels count, and which is to be challenged.
    by, fired_by
        Who asks; and what stands for this asking, the same on every node.
    now
        Aware.
    """
    classes = tuple(one.name for one in opened(model.bundle).classes)
    salt, current = minted(database, now), database.read(labels.current)
    whose = database.read(lambda tx: naming(tx, salt, settings.retrain.issuer))
    reason = too_few(current, classes, whose, replays=bool(settings.retrain.replay))
    if reason:
        return Asked(None, f"no training of {model.name}: {reason}")
    retrain = settings.retrain
    asked = Request(model.name, fired_by, by, retrain.recipe, retrain.start, retrain.seed)
    run = database.write(lambda tx: retrainings.request(tx, asked, now))
    if run is None:
        return Asked(None, f"no training of {model.name}: one is waiting or running already, or this was asked before")
    return Asked(run, f"training {run} of {model.name} is asked for: the running node does it (`pacs-node retrain`)")


def new_labels(tx: Transaction, model: str, classes: Sequence[str]) -> int:
    """Return for how many images a label was recorded since the last training of a model."""
    since = retrainings.labels_learned(tx, model)
    return len(
        {
            one.sop_instance_uid
            for one in labels.current(tx)
            if one.class_name in classes and (since is None or one.recorded_at > since)
        }
    )


def too_few(current: Sequence[CurrentLabel], classes: Sequence[str], whose: Naming, *, replays: bool) -> str:
    """Return why nothing can be learned from the labels that there are, or "" where it can.

    Parameters
    ----------
    current
        All that count.
    classes
        Of the model.
    whose
        As whom their patients count.
    replays
        Whether other data are learned from beside.
    """
    said: dict[str, dict[str, bool]] = defaultdict(dict)
    patients: dict[str, str] = {}
    for one in current:
        if one.class_name in classes:
            said[one.sop_instance_uid][one.class_name] = one.present
            patients[one.sop_instance_uid] = whose.pseudonym(PatientName(one.patient_id, one.issuer_of_patient_id))
    shown = {uid: shows for uid, some in said.items() if (shows := label_of(classes, some)) is not None}
    placed = [(patients[uid], side_of(whose.salt, patients[uid]), label) for uid, label in shown.items()]
    return scarce(placed, label_names(classes), replays=replays)


def scarce(placed: Sequence[tuple[str, Side, int]], names: Sequence[str], *, replays: bool) -> str:
    """Return which label is shown by too few patients, or "".

    Parameters
    ----------
    placed
        Patient, side and label of each image.
    names
        What each label stands for.
    replays
        As of `too_few`.
    """
    if not placed:
        return f"no image here has a label of {' or '.join(names[-1:])}"
    if len({patient for patient, _, _ in placed}) == 1:
        return f"all {len(placed)} labelled images are of one patient"
    if len({label for _, _, label in placed}) == 1:
        return f"all {len(placed)} labelled images are labelled {names[placed[0][2]]}: the other kind is needed, too"
    needed = FEWEST_BESIDE if replays else FEWEST
    for side, least in needed.items():
        for label, name in enumerate(names):
            count = len({patient for patient, where, own in placed if where is side and own == label})
            if count < least:
                return f"{count} patients on the side {side.value} are labelled {name}, and {least} are needed"
    return ""
