"""Learning as an operator sees it: trainings, what is kept and left out, locked sets, labels to look at again."""

import uuid
from collections import defaultdict
from datetime import datetime
from typing import Any

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.lifecycle import OPEN_STATES, State
from node.domain.split import Side
from node.pipeline.learning.places import Places
from node.pipeline.learning.training_request import model_to_train, new_labels, request
from node.pipeline.opened import open_database, read_once
from node.pipeline.registry.catalogue import opened
from node.store.database import Transaction
from node.store.labelling import labels
from node.store.learning import locked_sets, retrainings, training_set
from node.store.tables.learning_tables import Retraining

RETRAIN_COLUMNS = (
    "run",
    "model",
    "state",
    "progress",
    "stage",
    "requested_by",
    "labels",
    "version",
    "verdict",
    "reason",
)
LEARNING_COLUMNS = ("model", "class", "side", "label", "images", "patients", "blind")
LEFT_OUT_COLUMNS = ("sop_instance_uid", "side", "reason")
LOCKED_COLUMNS = ("name", "version", "images", "patients", "uses", "frozen_at", "reason", "removed_at")
PROBLEMS_COLUMNS = ("sop_instance_uid", "class", "label", "likelihood", "run")


def retrain_now(settings: Settings, model: str, who: str, now: datetime) -> str:
    """Ask for a training and say what came of it.

    Raises
    ------
    OperatorError
        Where nothing could be learned, or one is to come already.
    """
    with open_database(settings) as database:
        registration = database.read(lambda tx: model_to_train(tx, settings, model))
        asked = request(database, settings, registration, who, f"asked {uuid.uuid4()}", now)
    if asked.run is None:
        raise OperatorError(asked.said)
    return asked.said


def cancel(settings: Settings, run: int, who: str, now: datetime) -> str:
    """Ask for the end of a training, and say so.

    Raises
    ------
    OperatorError
        Where there is no such training, or it has ended.
    """
    with open_database(settings) as database:
        known = {row.id: row.state for row in database.read(retrainings.all)}
        if run not in known:
            raise OperatorError(f"no training {run}: `pacs-node retrain` lists them")
        if known[run] not in OPEN_STATES:
            raise OperatorError(f"training {run} has ended already: it is {known[run]}")
        state = database.write(lambda tx: retrainings.cancel(tx, run, who, now))
    return f"training {run} " + ("is cancelled" if state is State.CANCELLED else "ends within a quarter of a minute")


def listed(settings: Settings) -> list[dict[str, Any]]:
    """Return every training, the newest first.

    Returns
    -------
    list of dict
        ``run``, ``model``, ``state``, ``progress`` (0 to 100), ``stage``, ``requested_at``, ``requested_by``,
        ``started_at``, ``settled_at``, ``recipe``, ``start``, ``seed``, ``labels`` (images that it learns from and
        chooses on), ``labels_until``, ``data_digest``, ``bundle``, ``version``, ``verdict``, ``reason`` (why it failed,
        waits again or was given up).
    """
    with open_database(settings) as database:
        return [_run(row) for row in database.read(retrainings.all)]


def _run(row: Retraining) -> dict[str, Any]:
    times = ("requested_at", "started_at", "settled_at", "labels_until")
    said = {name: value and value.isoformat() for name in times for value in [getattr(row, name)]}
    plain = ("requested_by", "recipe", "start", "seed", "labels", "data_digest", "bundle", "version", "verdict")
    return {
        "run": row.id,
        "model": row.model,
        "state": row.state.value,
        "progress": 100 * row.done // row.total if row.total else 0,
        "stage": row.stage,
        **said,
        **{name: getattr(row, name) for name in plain},
        "reason": row.last_error,
    }


def overview(settings: Settings, model: str) -> list[dict[str, Any]]:
    """Return what there is to learn from.

    Returns
    -------
    list of dict
        For each side and label ``model``, ``class``, ``side``, ``label`` (present or absent), ``images`` and
        ``patients``, ``blind`` (images whose readers had no result before them), ``new`` (of the whole model: images
        with a label since its last training).
    """

    def asked(tx: Transaction) -> list[dict[str, Any]]:
        registration = model_to_train(tx, settings, model)
        classes = [one.name for one in opened(registration.bundle).classes]
        kept = {one.sop_instance_uid: one for one in training_set.all(tx) if not one.left_out}
        new = new_labels(tx, registration.name, classes)
        cells: dict[tuple[str, Side, bool], list[tuple[str, bool]]] = defaultdict(list)
        for one in labels.current(tx):
            if one.class_name in classes and (example := kept.get(one.sop_instance_uid)):
                cells[one.class_name, example.side, one.present].append((example.patient, one.blind))
        return [
            {
                "model": registration.name,
                "class": name,
                "side": side.value,
                "label": "present" if present else "absent",
                "images": len(some),
                "patients": len({patient for patient, _ in some}),
                "blind": sum(blind for _, blind in some),
                "new": new,
            }
            for (name, side, present), some in sorted(cells.items(), key=str)
        ]

    return read_once(settings, asked)


def left_out(settings: Settings) -> list[dict[str, Any]]:
    """Return the labelled images that are not used.

    Returns
    -------
    list of dict
        ``sop_instance_uid``, ``side``, ``reason``.
    """
    with open_database(settings) as database:
        return [
            {"sop_instance_uid": one.sop_instance_uid, "side": one.side.value, "reason": one.left_out}
            for one in database.read(training_set.all)
            if one.left_out
        ]


def locked(settings: Settings) -> list[dict[str, Any]]:
    """Return every version of every locked set.

    Returns
    -------
    list of dict
        ``name``, ``version``, ``origin`` (site or data), ``images``, ``patients``, ``uses`` (how often it was looked
        at), ``frozen_at``, ``reason`` (why there is this version), ``removed_at``, ``digest``, ``folder``.
    """
    places = Places(settings.node.data_dir)
    with open_database(settings) as database:
        return [
            {
                "name": one.name,
                "version": one.version,
                "origin": one.origin,
                "images": one.images,
                "patients": one.patients,
                "uses": one.uses,
                "frozen_at": one.frozen_at.isoformat(),
                "reason": one.reason,
                "removed_at": one.removed_at and one.removed_at.isoformat(),
                "digest": one.digest,
                "folder": str(places.locked_set(one.name, one.version)),
            }
            for one in database.read(locked_sets.all)
        ]


def problems(settings: Settings) -> list[dict[str, Any]]:
    """Return labels that are probably wrong, the unlikeliest first.

    Returns
    -------
    list of dict
        ``sop_instance_uid``, ``class``, ``label`` (present or absent), ``likelihood`` (0 to 1, of that label, by what
        has not seen the patient), ``run`` (the training that found it), ``found_at``.
    """
    with open_database(settings) as database:
        return [
            {
                "sop_instance_uid": one.sop_instance_uid,
                "class": one.class_name,
                "label": "present" if one.present else "absent",
                "likelihood": one.likelihood,
                "run": one.retraining_id,
                "found_at": one.found_at.isoformat(),
            }
            for one in database.read(retrainings.problems)
        ]


def settle_problem(settings: Settings, sop_uid: str, class_name: str, who: str, now: datetime) -> str:
    """Take a label off the list because somebody looked at it.

    Raises
    ------
    OperatorError
        Where it is not on it.
    """
    with open_database(settings) as database:
        if not database.write(lambda tx: retrainings.settle_problem(tx, sop_uid, class_name, who, now)):
            raise OperatorError(f"no label {class_name} of {sop_uid} is on the list: `pacs-node learning problems`")
    return f"{class_name} of {sop_uid} is off the list; `pacs-node labels resolve` changes what it says"
