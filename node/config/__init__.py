"""config.toml, checked once into frozen settings.

Every fault of a file is reported together, each with its table, key and value, and an unknown key with the nearest
one that is known. Relative paths are relative to the folder of the configuration file. This room knows the form of
the settings and nothing of what they are for.
"""

from node.config.loading import ENVIRONMENT_VARIABLE, PASSWORD_VARIABLE, find, load, parse
from node.config.monitor import MonitorSettings
from node.config.settings import (
    DeliverSettings,
    ModelSettings,
    NodeSettings,
    PeerSettings,
    Settings,
    StorageSettings,
)

__all__ = [
    "ENVIRONMENT_VARIABLE",
    "PASSWORD_VARIABLE",
    "DeliverSettings",
    "ModelSettings",
    "MonitorSettings",
    "NodeSettings",
    "PeerSettings",
    "Settings",
    "StorageSettings",
    "find",
    "load",
    "parse",
]
