"""The page that a site signs before a model becomes active, and the record of the signature.

The page is of one version and of the studies that it has read in this node so far; the record keeps the digest of the
page's figures, so that what was signed can be told from what came later.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from node.config import Settings
from node.domain.errors import OperatorError
from node.pipeline.learning.naming import naming
from node.pipeline.monitoring.model_figures import truth_of
from node.pipeline.monitoring.site_figures import Share, SiteFigures, figures
from node.pipeline.opened import open_database
from node.store import audit
from node.store.arriving.merges import PatientName
from node.store.database import Transaction
from node.store.labelling import labels
from node.store.learning import exams, retrainings, splits
from node.store.learning.exams import Exam
from node.store.registering import registry, validations
from node.store.registering.registry import Registration
from node.store.registering.validations import RecordedValidation
from node.store.working import findings

_TEMPLATES = Path(__file__).parent / "templates"
BLIND, NEW = "labelled before any result was delivered", "of patients whom it was not trained on"
"""Labelled studies that say more than others: their readers saw no result, or the version did not know them."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who approves what, and when."""

    at: datetime
    who: str | None
    few: Sequence[str]  #: of which classes few studies are labelled
    although_few: str


def validate(settings: Settings, name: str, out: Path, who: str | None, now: datetime, although_few: str = "") -> str:
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
    although_few
        Why it is approved with fewer labelled studies than the site asks for; "" where it must not be.

    Raises
    ------
    OperatorError
        Where there is no such model, the file cannot be written, or there is nothing to approve.
    """
    with open_database(settings) as database:
        model = database.read(lambda tx: registry.named(tx, name))
        found = database.read(lambda tx: _figures(tx, settings, model))
        few = _few(settings, found)
        page = _page(model, found, Signature(now, who, few, although_few.strip() if few else ""))
        _write(out, page)
        said = f"{found.studies} studies read by {model.name} {model.version}, {found.labelled} of them labelled: {out}"
        if who is None:
            return said
        _require_labels(model, found, few, although_few)
        digest = hashlib.sha256(page.encode()).hexdigest()
        why = {"although_few": although_few.strip()} if few else {}
        approved = RecordedValidation(model.name, model.version, who, now, digest, _plain(found) | why)
        database.write(lambda tx: _record(tx, approved))
    return f"{said}; approved by {who}: `pacs-node models mode {model.name} active` is open to this version now"


def _figures(tx: Transaction, settings: Settings, model: Registration) -> SiteFigures:
    read, current = list(exams.exams(tx, model.name, model.version)), labels.current(tx)
    seen = {one.study_instance_uid for one in current if not one.blind}
    blind = {one.study_instance_uid for one in current} - seen
    kinds = {BLIND: blind, NEW: _not_trained_on(tx, settings, model, read)}
    return figures(read, truth_of(current), findings.of_version(tx, model.name, model.version), kinds)


def _not_trained_on(tx: Transaction, settings: Settings, model: Registration, read: Sequence[Exam]) -> set[str]:
    """Return the studies of patients whom no training knew that the version came from."""
    whose = naming(tx, splits.salt_of(tx) or b"", settings.retrain.issuer)
    known = retrainings.patients_of(tx, model.version)
    named = {
        one.study_instance_uid: PatientName(one.header.patient_id, one.header.issuer_of_patient_id) for one in read
    }
    return {study for study, patient in named.items() if whose.pseudonym(patient) not in known}


def _few(settings: Settings, found: SiteFigures) -> tuple[str, ...]:
    """Return of which classes fewer studies are labelled than the site asks for, those not counted that it knew."""
    least = settings.go_live.min_labelled
    each = ((one.name, one.kinds[NEW].sensitivity.of, one.kinds[NEW].specificity.of) for one in found.classes)
    return tuple(
        f"{name}: {ill} that have it and {well} that do not" for name, ill, well in each if min(ill, well) < least
    )


def _require_labels(model: Registration, found: SiteFigures, few: Sequence[str], although_few: str) -> None:
    if not found.labelled:
        raise OperatorError(
            f"nothing can be approved: no study that {model.name} {model.version} has read is labelled; "
            "`pacs-node labels import` or labels from a viewer come first"
        )
    if few and not although_few.strip():
        raise OperatorError(
            f"{model.name} {model.version} is not approved: of the labelled studies that it was not trained on there "
            f"are, of {'; of '.join(few)}, and [go_live] min_labelled asks for more of each kind. Wait for labels, or "
            "say why with --although-few REASON, which is recorded"
        )


def _record(tx: Transaction, approved: RecordedValidation) -> None:
    validations.record(tx, approved)
    who = {"by": approved.approved_by, "page": approved.page_digest[:16]}
    if "although_few" in approved.figures:
        who["although_few"] = approved.figures["although_few"]
    audit.add(tx, approved.approved_at, "model validated", model=approved.model, version=approved.version, **who)


def _write(out: Path, page: str) -> None:
    half = out.with_name(f".{out.name}.part")
    try:
        half.write_text(page, encoding="utf-8")
        half.replace(out)
    except OSError as error:
        raise OperatorError(f"{out} cannot be written: {error.strerror}") from error


def _page(model: Registration, found: SiteFigures, sign: Signature) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(("html.jinja",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(share=_share, number=_number)
    return environment.get_template("validation.html.jinja").render(model=model, found=found, sign=sign)


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
