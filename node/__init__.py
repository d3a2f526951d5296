"""pacs-node: a DICOM network node that reads images beside the radiologist.

The layers, from the top: ``cli`` -> ``demo`` -> ``app`` -> ``pipeline`` -> ``store``, ``dicom``, ``network``,
``runtime`` -> ``config``, ``telemetry`` -> ``domain``. Arrows point down only; siblings do not know each other.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("pacs-node")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+unknown"
