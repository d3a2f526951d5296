"""A verdict written down: the protocol and the result as JSON, and a page for whoever approves it.

It knows a verdict and a folder; run and times are handed in.

References
----------
FDA, "Marketing Submission Recommendations for a Predetermined Change Control Plan for Artificial Intelligence-Enabled
Device Software Functions", 2024 (the plan and its execution are documented for every change).
"""

import json
import shutil
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from models.bundle.place import appearing_at_once
from models.evaluation.templating import template
from models.gate.verdict import Outcome, Verdict

TEMPLATES = Path(__file__).parent / "templates"
PROTOCOL, RESULT, PAGE = "protocol.json", "result.json", "page.html"

MEANINGS = {
    Outcome.PROMOTED: "Every declared criterion is met on every locked set; it may serve once a person approves it.",
    Outcome.SHADOW: "Nothing speaks against it and something could not be judged; it is never promoted by itself.",
    Outcome.REFUSED: "A declared criterion is missed; it may not serve.",
}


def write_verdict(folder: Path, verdict: Verdict, run: str, declared_at: datetime, judged_at: datetime) -> None:
    """Write protocol.json, result.json and page.html into a folder, which appears complete in place of an earlier one.

    Raises
    ------
    OSError
        Where it cannot be written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    times = {"run": run, "declared_at": declared_at.isoformat(), "judged_at": judged_at.isoformat()}
    protocol = {**times, "digest": verdict.protocol_digest, **asdict(verdict.protocol)}
    del protocol["judged_at"]
    with appearing_at_once(folder) as new:
        _write_json(new / PROTOCOL, protocol)
        _write_json(new / RESULT, {**times, **verdict.as_json()})
        (new / PAGE).write_text(page(verdict, run, declared_at, judged_at), encoding="utf-8")


def page(verdict: Verdict, run: str, declared_at: datetime, judged_at: datetime) -> str:
    """Return the page's text; it needs nothing beside it."""
    return template("verdict.html.jinja", TEMPLATES).render(
        v=verdict,
        run=run,
        declared_at=f"{declared_at:%Y-%m-%d %H:%M:%S} UTC",
        judged_at=f"{judged_at:%Y-%m-%d %H:%M:%S} UTC",
        meaning=MEANINGS[verdict.outcome],
        protocol=asdict(verdict.protocol),
    )


def _write_json(path: Path, table: dict[str, Any]) -> None:
    path.write_text(json.dumps(table, indent=2, allow_nan=False) + "\n", encoding="utf-8")
