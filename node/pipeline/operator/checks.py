"""Everything that could be wrong with a node, a line each.

Each check looks and changes nothing; none of them needs the node to run.
"""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from node.config import ModelSettings, Settings
from node.domain.errors import OperatorError, Permanent, Transient
from node.pipeline.apart import in_child
from node.pipeline.check_line import CheckLine
from node.pipeline.delivery import commitment_checks, delivery_standing
from node.pipeline.intake.missing import missing
from node.pipeline.keeping.retain import outlook
from node.pipeline.labels import label_checks
from node.pipeline.learning import issuers
from node.pipeline.opened import open_database
from node.pipeline.operator import (
    learning_checks,
    monitoring_checks,
    node_checks,
    peer_checks,
    replaced_checks,
    rule_checks,
    stop_checks,
    version_checks,
    work_checks,
)
from node.pipeline.registry import go_live
from node.pipeline.registry.bundle_work import answers
from node.pipeline.registry.catalogue import bundle_path, opened, registration_of
from node.pipeline.registry.go_live import shadow_notes
from node.pipeline.registry.signers import refusal, unasked
from node.store import schema
from node.store.arriving import instances
from node.store.database import Database
from node.store.registering import registry
from node.store.registering.registry import Registration
from node.store.tables.choices import Mode
from node.store.working import pictures

_EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)  # before this program was written, so a clock that says so is wrong
_MISSING_SHOWN = 5
_STUDIES_SHOWN = 5
_CLOCK_TOLERANCE = timedelta(minutes=5)


def check(settings: Settings, path: Path, now: datetime) -> Iterator[CheckLine]:
    """Yield a line for each thing that could be wrong.

    Parameters
    ----------
    settings
        The configuration, whose form is right already.
    path
        Where it was read from.
    now
        The time now, aware.
    """
    yield CheckLine("config", "ok", f"{path}: {len(settings.peers)} peers, {len(settings.models)} models")
    yield from node_checks.lines(settings)
    known = _schema(settings)
    yield known
    yield _store(settings)
    yield from _disk(settings)
    yield from peer_checks.lines(settings)
    yield from (_bundle(settings, model) for model in {model.name: model for model in settings.models}.values())
    yield from (CheckLine(*line) for line in rule_checks.lines(settings))
    yield from learning_checks.lines(settings, now)
    try:
        with open_database(settings) as database:
            yield from _registry(settings, database.read(version_checks.models))
            yield from _not_validated(settings, database)
            yield from version_checks.lines(database)
            yield from replaced_checks.lines(settings, database)
            yield from monitoring_checks.lines(database, settings.monitor)
            yield _clock(database, now)
            yield from stop_checks.lines(database)
            yield from work_checks.lines(settings, database)
            yield from _destinations(settings, database, now)
            yield from (CheckLine(*line) for line in commitment_checks.lines(settings, database, now))
            yield from _quarantined(database)
            yield from _missing(settings, database)
            yield _results(database)
            old = outlook(database, settings.storage, now)
            yield from [CheckLine("retention", "note", old)] if old else []
            yield from label_checks.lines(database)
            yield from learning_checks.kept(settings, database)
            yield from issuers.lines(settings, database)
            yield from node_checks.turned_away(settings, database)
    except (OperatorError, Transient):  # the database's line has said so
        # an empty one has no model; what one of an older schema has is not known
        yield from _registry(settings, []) if known.verdict != "fault" else ()


def _schema(settings: Settings) -> CheckLine:
    try:
        found = schema.current(settings.database.url)
        if found is None:
            way = (
                "`pacs-node serve` creates it"
                if settings.database.url.startswith("sqlite")
                else "run `pacs-node migrate`"
            )
            return CheckLine("database", "note", f"empty: {way}")
        schema.check(settings.database.url)
    except (OperatorError, Transient) as error:
        return CheckLine("database", "fault", str(error))
    return CheckLine("database", "ok", f"reached, schema at revision {found}")


def _store(settings: Settings) -> CheckLine:
    folder = settings.node.data_dir
    existing = next(candidate for candidate in (folder, *folder.parents) if candidate.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return CheckLine(
            "store", "fault", f"{existing} cannot be written: make it writable, or set another [node] data_dir"
        )
    return CheckLine("store", "ok", f"{folder}{'' if existing == folder else ' (to be created)'}")


def _disk(settings: Settings) -> Iterator[CheckLine]:
    folder = settings.node.data_dir
    existing = next(candidate for candidate in (folder, *folder.parents) if candidate.exists())
    free_mb = shutil.disk_usage(existing).free // 1_000_000
    inodes = os.statvfs(existing).f_favail
    least = settings.storage
    yield CheckLine(
        "disk",
        "ok" if free_mb > least.min_free_mb else "fault",
        f"{free_mb} MB free, the watermark is at {least.min_free_mb} MB ([storage] min_free_mb)",
    )
    if inodes:  # some file systems have no fixed number, and say 0
        yield CheckLine(
            "inodes",
            "ok" if inodes > least.min_free_inodes else "fault",
            f"{inodes} free, the watermark is at {least.min_free_inodes} ([storage] min_free_inodes)",
        )


def _bundle(settings: Settings, model: ModelSettings) -> CheckLine:
    try:
        manifest = opened(model.bundle, model.public_key)
        in_child(settings.work.deadline_s, answers, bundle_path(model.bundle))
    except (OperatorError, Permanent, Transient) as error:
        return CheckLine(f"model {model.name}", "fault", str(error))
    signed = f", signed by {model.public_key}" if model.public_key else ""
    text = f"bundle {model.bundle}: version {manifest.version}, all digests match{signed}, it loads and answers"
    return CheckLine(f"model {model.name}", "ok", text)


def _registry(settings: Settings, rows: list[Registration]) -> Iterator[CheckLine]:
    yield from _without_table(settings, rows)
    registered = {row.name: row for row in rows}
    for model in settings.models:
        subject, row = f"model {model.name}", registered.get(model.name)
        try:
            wanted = registration_of(model, require_validation=False)
        except OperatorError:
            continue  # the bundle's line has said so
        if row is None:
            seeded = registration_of(model, require_validation=settings.go_live.require_validation)
            registered[model.name] = seeded
            yield CheckLine(
                subject, "note", f"not registered yet: the first `pacs-node serve` does it, in {seeded.mode}"
            )
            continue
        if (row.bundle, row.rule) != (wanted.bundle, wanted.rule):
            yield CheckLine(subject, "note", "config.toml and registry differ in bundle or rule; the registry rules")
        if row.mode != wanted.mode:
            text = f"config.toml says {wanted.mode}, the registry {row.mode}, which rules (`pacs-node models mode`)"
            yield CheckLine(subject, "note", text)
    for text in shadow_notes(settings, list(registered.values())):
        yield CheckLine("mode", "note", text)


def _not_validated(settings: Settings, database: Database) -> Iterator[CheckLine]:
    """Yield a line for each model that is active without the validation that the site asks for by now."""
    if not settings.go_live.require_validation:
        return
    active = [row for row in database.read(registry.all) if row.mode is Mode.ACTIVE]
    for row in active:
        reason = database.read(lambda tx, row=row: go_live.missing(tx, row))  # type: ignore[misc]
        if reason is not None:
            text = f"it is active, and {reason}: the next start of the node puts it into shadow ([go_live])"
            yield CheckLine(f"model {row.name}", "note", text)


def _without_table(settings: Settings, rows: list[Registration]) -> Iterator[CheckLine]:
    """Yield a line for each model that the registry serves and the configuration does not speak of."""
    tables = {model.name for model in settings.models}
    served = [row for row in rows if row.name not in tables and row.mode is not Mode.OFF]
    if not tables and not served:
        yield CheckLine("models", "note", "no [[models]] table: studies are stored and nothing is read")
    for row in served:
        try:
            lost = row in unasked(settings, rows)
            version = opened(row.bundle).version
        except OperatorError as error:
            yield CheckLine(f"model {row.name}", "fault", str(error))
            continue
        text = (
            f"registered with the bundle {row.bundle}, version {version}, in mode {row.mode}, and without a [[models]] "
            f"table: the node serves it and asks for no signature; `pacs-node models mode {row.name} off` ends that"
        )
        found = CheckLine(f"model {row.name}", "note", text)
        yield CheckLine(f"model {row.name}", "fault", refusal(settings, row)) if lost else found


def _clock(database: Database, now: datetime) -> CheckLine:
    newest = database.read(instances.newest_received_at)
    if now < _EARLIEST or (newest is not None and newest > now + _CLOCK_TOLERANCE):
        return CheckLine("clock", "fault", f"it says {now:%Y-%m-%d %H:%M:%S} UTC, and instances were stored after that")
    return CheckLine("clock", "ok", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _destinations(settings: Settings, database: Database, now: datetime) -> Iterator[CheckLine]:
    """Say which peers are left alone because they do not answer, for which reports wait too long, what is held."""
    for name, fault, text in delivery_standing.troubles(settings, database, now):
        yield CheckLine(f"deliveries to {name}", "fault" if fault else "note", text)


def _quarantined(database: Database) -> Iterator[CheckLine]:
    count = database.read(instances.count_quarantined)
    if count:
        named = ", ".join(database.read(lambda tx: instances.quarantined_studies(tx, _STUDIES_SHOWN)))
        text = f"{count} copies that contradict a held instance: `pacs-node quarantine` lists them; the first stays"
        yield CheckLine("quarantine", "note", f"{text} (the latest in {named})")


def _missing(settings: Settings, database: Database) -> Iterator[CheckLine]:
    """Say which stored files are gone: every row refers to one that was on the disk before it was acknowledged."""
    gone = database.read(lambda tx: list(islice(missing(tx, settings.node.data_dir), _MISSING_SHOWN + 1)))
    if gone:
        shown = ", ".join(gone[:_MISSING_SHOWN]) + (", and more" if len(gone) > _MISSING_SHOWN else "")
        text = (
            f"gone from {settings.node.data_dir}: {shown}; put them back from a backup, or have the studies sent again "
            "(`pacs-node instances --json` says which)"
        )
        yield CheckLine("files", "fault", text)


def _results(database: Database) -> CheckLine:
    documents_mb, pictures_mb = (size / 1e6 for size in database.read(pictures.used_bytes))
    text = f"they take {documents_mb:.1f} MB of the database, and pictures of heat maps {pictures_mb:.1f} MB more"
    return CheckLine("results", "ok", text)
