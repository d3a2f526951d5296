"""The main job shown on this machine alone: sample studies in, reports out, a table of results.

It starts the node as a process of its own, is itself the sender and the stand-in PACS, and needs nothing from the
network. Everything goes over TCP, as between any two nodes.
"""

from node.demo.run import run

__all__ = ["run"]
