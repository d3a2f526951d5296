"""The steps of the scenario, each done once: what it found is kept as JSON, so that a scenario that was ended goes on.

Everything goes through the node's front door: studies and labels by C-STORE, the rest by its verbs.
"""

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.scenario.hospitals import Study, batches
from bench.scenario.labellers import marked
from bench.scenario.site import MODEL, Site

WINDOW = 25
"""Held-out images between two looks at the monitor."""

STEPS_OF_SECOND = (10, 15, 20, 25, 30, 40, 50, 60, 80, 100)
"""Images of the second hospital after which the monitor is looked at."""

BATCH = 100
_ALARM_S, _TRAINING_S = 240, 7200

Found = dict[str, Any]


def reference(site: Site, some: Sequence[Study]) -> Found:
    """Send the studies that become the monitor's reference."""
    site.receive(some)
    site.read()
    site.wait(lambda: "missing" not in _monitor(site)[0]["reference"], _ALARM_S, "the monitor's reference")
    model, row = site.model(), _monitor(site)[0]
    return {
        "images": len(some),
        "mode": model["mode"],
        "version": model["version"],
        "reference": row["reference"],
        "reports": len(site.pacs.held),
    }


def held_out(site: Site, some: Sequence[Study]) -> Found:
    """Send the first hospital's held-out studies, and count the looks at which the monitor sees a drift."""
    looks, drifted = 0, 0
    for few in batches(some, WINDOW):
        site.receive(few)
        site.read()
        looks += 1
        drifted += any(row["drift"] == "yes" for row in _monitor(site))
    alarms = [row["said"] for row in site.rows("monitor", "--alarms") if row["kind"] == "drift"]
    mode = site.model()["mode"]
    if mode != "active":
        site.do("models", "mode", MODEL, "active")
    return {"images": len(some), "looks": looks, "drifted": drifted, "alarms": alarms, "mode": mode}


def drift(site: Site, some: Sequence[Study]) -> Found:
    """Send studies of the second hospital until the drift alarm, and say what the stop rule did."""
    sent, sender = 0, some[0].hospital.sender
    for number in STEPS_OF_SECOND:
        site.receive(some[sent:number])
        sent = number
        site.read()
        if any(row["drift"] == "yes" for row in _monitor(site) if row["sender"] == sender):
            break
    site.wait(lambda: site.model()["mode"] == "shadow", _ALARM_S, "the stop rule")
    before = len(site.pacs.held)
    alarms = [row for row in site.rows("monitor", "--alarms") if row["sender"] == sender]
    return {
        "sent": sent,
        "alarm": min(row["figures"]["images"] for row in alarms if row["kind"] == "drift"),
        "alarms": [{name: row[name] for name in ("kind", "said", "stopped")} for row in alarms],
        "model": {name: site.model()[name] for name in ("mode", "stopped")},
        "checks": [row["text"] for row in site.check() if "shadow" in row["text"]],
        "reports_before": before,
    }


def rest(site: Site, some: Sequence[Study]) -> Found:
    """Send the other studies of the second hospital, of which no report may leave."""
    before = len(site.pacs.held)
    site.receive(some)
    site.read()
    return {"images": len(some), "reports": len(site.pacs.held) - before}


def locked(site: Site, folder: Path, split: str) -> Found:
    """Lock the held-out images of the first hospital away, by which forgetting is seen."""
    return {"said": site.do("learning", "lock", "first", "--data", str(folder), "--split", split)}


def labels(site: Site, first: Sequence[Study], second: Sequence[Study]) -> Found:
    """Let readers label studies of both hospitals, in batches."""
    answered, objects = time.time(), 0
    for few in (*batches(first, BATCH), *batches(second, BATCH)):
        made = marked(few)
        answered, objects = site.label(made), objects + len(made)
    site.labelled(objects)
    counted = site.rows("labels", "--limit", "0")
    return {
        "objects": objects,
        "answered": datetime.fromtimestamp(answered, UTC).isoformat(),
        "states": _counted(counted, "state"),
        "rules": _counted(counted, "rule"),
        "sources": _counted(counted, "source_kind"),
        "readers": len({row["reader"] for row in counted}),
    }


def again(site: Site) -> str:
    """Ask for one more training, and return when, as ISO 8601."""
    site.wait(lambda: _newest(site).get("settled_at"), _TRAINING_S, "the end of the training before")
    site.do("retrain", "--now")
    return datetime.now(UTC).isoformat()


def training(site: Site, answered: str) -> Found:
    """Wait for the scheduled training and its verdict."""
    site.wait(lambda: _newest(site).get("settled_at"), _TRAINING_S, "a verdict")
    run = _newest(site)
    settled = datetime.fromisoformat(run["settled_at"])
    version = next((row for row in site.rows("models", "versions") if row["run"] == f"{MODEL}-{run['run']}"), None)
    kept = ("run", "state", "requested_by", "requested_at", "settled_at", "recipe", "start", "seed", "labels")
    return {
        **{name: run[name] for name in (*kept, "data_digest", "version", "verdict", "reason", "bundle")},
        "load": os.getloadavg()[2],
        "minutes": (settled - datetime.fromisoformat(answered)).total_seconds() / 60,
        "version_row": version,
        "locked": site.rows("learning", "locked"),
        "learning": site.rows("learning"),
        "problems": len(site.rows("learning", "problems")),
    }


def promotion(site: Site, version: str) -> Found:
    """Let the version serve on a person's word, and make the model active again."""
    said = [
        site.do("models", "promote", MODEL, version, "--by", "Scenario"),
        site.do("models", "mode", MODEL, "active"),
    ]
    model = site.model()
    return {"said": said, "model": {name: model[name] for name in ("version", "mode", "stopped", "device_uid")}}


def _newest(site: Site) -> dict[str, Any]:
    return max(site.rows("retrain"), key=lambda row: int(row["run"]), default={})


def _monitor(site: Site) -> list[dict[str, Any]]:
    return [row for row in site.rows("monitor") if row["model"] == MODEL]


def _counted(rows: Sequence[dict[str, Any]], name: str) -> dict[str, int]:
    values = [str(row[name]) for row in rows]
    return {value: values.count(value) for value in sorted(set(values))}
