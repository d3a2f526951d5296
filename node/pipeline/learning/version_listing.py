"""Every version as an operator sees it: what it is made of, what the gate said, and what became of it."""

from pathlib import Path
from typing import Any

from node.config import Settings
from node.pipeline.learning.places import Places
from node.pipeline.opened import read_once
from node.pipeline.registry.catalogue import bundle_path
from node.store.learning import model_versions
from node.store.learning.model_versions import Version
from node.store.stopping import recalls
from node.store.tables.version_tables import VersionState

VERSIONS_COLUMNS = (
    "model",
    "version",
    "state",
    "outcome",
    "judged_against",
    "changed_at",
    "changed_by",
    "reason",
    "recalled",
)

STATES = {VersionState.AWAITING: "awaiting approval"}
"""Words for states that a listing says in full."""


def versions(settings: Settings, model: str | None = None) -> list[dict[str, Any]]:
    """Return every version of a model, or of all, the newest first.

    Returns
    -------
    list of dict
        ``model``, ``version``, ``state`` (serving, former, awaiting approval, shadow, refused), ``outcome`` (of the
        gate: promoted, shadow, refused; empty where it was never judged), ``judged_against`` (version), ``reason`` (of
        the last change), ``changed_at``, ``changed_by``, ``made_at``, ``device_uid``, ``bundle``, ``bundle_there``
        (true or false), ``swept_at`` (when the bundle was removed, or null), ``manifest_digest``, ``data_digests`` (by
        what it was trained on or judged by), ``parents`` (versions), ``figures``, ``before`` (the version that served
        before it), ``run``, ``verdict`` (folder with protocol, result and page, or null), ``recalled`` (by
        whom and why, so that none of its results leave; "" where it was not).
    """
    return read_once(
        settings,
        lambda tx: [
            _row(settings, one) | {"recalled": recalls.why(tx, one.model, one.version)}
            for one in model_versions.all(tx, model)
        ],
    )


def _row(settings: Settings, one: Version) -> dict[str, Any]:
    exported = Places(settings.node.data_dir).verdict(one.run) if one.run else None
    return {
        "model": one.model,
        "version": one.version,
        "state": STATES.get(one.state, one.state.value),
        "outcome": one.outcome,
        "judged_against": one.judged_against,
        "reason": one.reason,
        "changed_at": one.changed_at.isoformat(),
        "changed_by": one.changed_by,
        "made_at": one.made_at.isoformat(),
        "device_uid": one.device_uid,
        "bundle": one.bundle,
        "bundle_there": bool(one.bundle) and bundle_path(one.bundle).is_dir(),
        "swept_at": None if one.swept_at is None else one.swept_at.isoformat(),
        "manifest_digest": one.manifest_digest,
        "data_digests": dict(one.data_digests),
        "parents": list(one.parents),
        "figures": dict(one.figures),
        "before": one.before,
        "run": one.run,
        "verdict": _there(exported),
    }


def _there(folder: Path | None) -> str | None:
    return str(folder) if folder is not None and folder.is_dir() else None
