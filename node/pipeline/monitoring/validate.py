"""The page that a site signs before a model becomes active, and the record of the signature.

The page is of one version and of the studies that it has read in this node so far; the record keeps the digest of the
page's figures, so that what was signed can be told from what came later.
"""

import hashlib
import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from node.config import Settings
from node.domain.errors import OperatorError
from node.pipeline.monitoring.figures import truth_of_studies
from node.pipeline.monitoring.site_figures import Share, SiteFigures, figures
from node.pipeline.opened import open_database
from node.store import audit
from node.store.database import Transaction
from node.store.learning import exams
from node.store.registering import registry, validations
from node.store.registering.registry import Registration
from node.store.registering.validations import RecordedValidation
from node.store.working import findings

_TEMPLATES = Path(__file__).parent / "templates"


def validate(settings: Settings, name: str, out: Path, who: str | None, now: datetime) -> str:
    """Write the page of a model's registered version, record an approval where there is one, and say what was done.

    Parameters
    ----------
    settings
        Whose node.
    name
        Of the model.
    out
        The page's file; it is replaced.
    who
        Who approves; None: nobody does yet.
    now
        Aware.

    Raises
    ------
    OperatorError
        Where there is no such model, the file cannot be written, or there is nothing to approve.
    """
    with open_database(settings) as database:
        model = database.read(lambda tx: _registered(tx, name))
        found = database.read(lambda tx: _figures(tx, model))
        page = _page(model, found, now, who)
        _write(out, page)
        said = f"{found.studies} studies read by {model.name} {model.version}, {found.labelled} of them labelled: {out}"
        if who is None:
            return said
        _require_labels(model, found)
        digest = hashlib.sha256(page.encode()).hexdigest()
        approved = RecordedValidation(model.name, model.version, who, now, digest, _plain(found))
        database.write(lambda tx: _record(tx, approved))
    return f"{said}; approved by {who}: `pacs-node models mode {model.name} active` is open to this version now"


def _registered(tx: Transaction, name: str) -> Registration:
    row = registry.get(tx, name)
    if row is None:
        known = ", ".join(one.name for one in registry.all(tx)) or "none"
        raise OperatorError(f"no model {name!r}; registered: {known}")
    return row


def _figures(tx: Transaction, model: Registration) -> SiteFigures:
    read = list(exams.exams(tx, model.name, model.version))
    return figures(read, truth_of_studies(tx), findings.of_version(tx, model.name, model.version))


def _require_labels(model: Registration, found: SiteFigures) -> None:
    if not found.labelled:
        raise OperatorError(
            f"nothing can be approved: no study that {model.name} {model.version} has read is labelled; "
            "`pacs-node labels import` or labels from a viewer come first"
        )


def _record(tx: Transaction, approved: RecordedValidation) -> None:
    validations.record(tx, approved)
    who = {"by": approved.approved_by, "page": approved.page_digest[:16]}
    audit.add(tx, approved.approved_at, "model validated", model=approved.model, version=approved.version, **who)


def _write(out: Path, page: str) -> None:
    half = out.with_name(f".{out.name}.part")
    try:
        half.write_text(page, encoding="utf-8")
        half.replace(out)
    except OSError as error:
        raise OperatorError(f"{out} cannot be written: {error.strerror}") from error


def _page(model: Registration, found: SiteFigures, now: datetime, who: str | None) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(("html.jinja",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(share=_share, number=_number)
    return environment.get_template("validation.html.jinja").render(model=model, found=found, now=now, who=who)


def _plain(found: SiteFigures) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(found)))
    return plain


def _share(share: Share) -> str:
    if share.value is None or share.interval is None:
        return "-"
    low, high = share.interval
    return f"{100 * share.value:.1f} % ({100 * low:.1f} to {100 * high:.1f}; {share.count} of {share.of})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
