"""What `check` says of models: their bundles, what the registry says otherwise, and what is active unvalidated."""

from collections.abc import Iterator

from node.config import ModelSettings, Settings
from node.domain.errors import OperatorError, Permanent, Transient
from node.pipeline.apart import in_child
from node.pipeline.check_line import CheckLine
from node.pipeline.registry import go_live
from node.pipeline.registry.bundle_work import answers
from node.pipeline.registry.catalogue import bundle_path, opened, registration_of
from node.pipeline.registry.go_live import shadow_notes
from node.pipeline.registry.signers import refusal, unasked
from node.store.database import Database
from node.store.registering import registry
from node.store.registering.registry import Registration
from node.store.tables.choices import Mode


def bundles(settings: Settings) -> Iterator[CheckLine]:
    """Yield a line for each bundle that config.toml names: whether it is whole, signed as asked, and answers."""
    yield from (_bundle(settings, model) for model in {model.name: model for model in settings.models}.values())


def _bundle(settings: Settings, model: ModelSettings) -> CheckLine:
    try:
        manifest = opened(model.bundle, model.public_key)
        in_child(settings.work.deadline_s, answers, bundle_path(model.bundle))
    except (OperatorError, Permanent, Transient) as error:
        return CheckLine(f"model {model.name}", "fault", str(error))
    signed = f", signed by {model.public_key}" if model.public_key else ""
    text = f"bundle {model.bundle}: version {manifest.version}, all digests match{signed}, it loads and answers"
    return CheckLine(f"model {model.name}", "ok", text)


def registered(settings: Settings, rows: list[Registration]) -> Iterator[CheckLine]:
    """Yield where config.toml and the registry differ, and which models are in shadow."""
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


def not_validated(settings: Settings, database: Database) -> Iterator[CheckLine]:
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
