"""The verbs of the operator: they parse, call `app` or `pipeline` and print, and hold no logic."""

from node.cli import backfill, control, learn, models, operator, patients, quarantine, safekeeping
from node.cli.main import application

__all__ = [
    "application",
    "backfill",
    "control",
    "learn",
    "models",
    "operator",
    "patients",
    "quarantine",
    "safekeeping",
]
