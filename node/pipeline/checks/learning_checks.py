"""What `check` says of learning: whether [retrain] names what is there, when it fires next, and how strict the gate is.

It trains nothing and reads no image.
"""

import shutil
from collections.abc import Iterator
from datetime import datetime

from node.config import Settings
from node.config.gate import GateSettings
from node.domain.errors import OperatorError
from node.pipeline.check_line import CheckLine
from node.pipeline.checks import version_checks
from node.store.database import Database
from node.store.labelling import labels
from node.store.learning import training_set

_FIRINGS = 3
_IMAGE_MB, _RUN_MB = 0.5, 100  # of one image at the largest size that is kept; of what a training writes beside them
_LOOSER_ABOVE, _LOOSER_BELOW = (
    ("_margin", "subgroup_min"),
    ("confidence", "min_patients", "min_positives", "min_negatives"),
)


def lines(settings: Settings, now: datetime) -> Iterator[CheckLine]:
    """Yield a line for each thing to know of [retrain] and [gate], as the configuration says it."""
    retrain = settings.retrain
    if retrain.schedule:
        yield _schedule(retrain.schedule, now)
    if reason := _recipe(retrain.recipe):
        yield CheckLine("retrain", "fault", f"[retrain] recipe: {reason}")
    for path in retrain.replay:
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            text = f"[retrain] replay: {path} {'is empty' if path.exists() else 'is not there'}: every training fails"
            yield CheckLine("retrain", "fault", text)
    for key, own, known in _looser(settings.gate):
        yield CheckLine("gate", "note", f"[gate] {key} {own:g} is looser than {known:g}, as shipped")


def kept(settings: Settings, database: Database) -> Iterator[CheckLine]:
    """Yield a line for each model that [retrain] names and nobody knows, and where the disk is too small to learn."""
    rows = database.read(version_checks.models)
    known = [row.name for row in rows] + [model.name for model in settings.models]
    for name in settings.retrain.models:
        if name not in known:
            text = f"[retrain] models: no model {name!r}; there are: {', '.join(sorted(set(known))) or 'none'}"
            yield CheckLine("retrain", "fault", text)
    if settings.retrain.schedule and not settings.retrain.models and len(rows) > 1:
        text = f"[retrain] schedule: {len(rows)} models are registered: say in [retrain] models which are trained"
        yield CheckLine("retrain", "fault", text)
    images = database.read(lambda tx: {one.sop_instance_uid for one in labels.current(tx)})
    if images and settings.node.data_dir.exists():
        new = images - {one.sop_instance_uid for one in database.read(training_set.all)}
        yield from _room(settings, len(new))


def _schedule(cron: str, now: datetime) -> CheckLine:
    from node.runtime.schedule import next_times  # noqa: PLC0415 - only a node with a schedule loads a scheduler

    try:
        times = next_times(cron, now, _FIRINGS)
    except OperatorError as error:
        return CheckLine("retrain", "fault", f"{error}: nothing is trained by itself")
    said = ", ".join(f"{one:%a %Y-%m-%d %H:%M}" for one in times)
    zone = f" ({times[0]:%Z}, this machine's time)" if times else ""
    return CheckLine("retrain", "ok", f"schedule {cron!r} asks for trainings next at {said}{zone}")


def _recipe(name: str) -> str:
    from models.training.recipe import RecipeError, read_recipe  # noqa: PLC0415 - for learning alone

    try:
        read_recipe(name)
    except RecipeError as error:
        return str(error)
    return ""


def _looser(gate: GateSettings) -> Iterator[tuple[str, float, float]]:
    """Yield the keys that let more through than as shipped, what they are, and what they were."""
    shipped = GateSettings()
    for key in GateSettings.model_fields:
        own, known = getattr(gate, key), getattr(shipped, key)
        if (key.endswith(_LOOSER_ABOVE) and own > known) or (key in _LOOSER_BELOW and own < known):
            yield key, own, known


def _room(settings: Settings, images: int) -> Iterator[CheckLine]:
    free = shutil.disk_usage(settings.node.data_dir).free / 1_000_000 - settings.storage.min_free_mb
    needed = images * _IMAGE_MB + _RUN_MB
    if free < needed:
        text = (
            f"a training that keeps the {images} labelled images that are not kept yet may take {needed:.0f} MB, and "
            f"{max(free, 0):.0f} MB are free above [storage] min_free_mb: free space, or it waits for it"
        )
        yield CheckLine("retrain", "note", text)
