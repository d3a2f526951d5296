"""The verbs of the operator: they parse, call `app` or `pipeline` and print, and hold no logic."""

from node.cli.main import application

__all__ = ["application"]
