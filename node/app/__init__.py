"""The composition root: the only room that knows all parts.

`Node` joins the rooms into a running node: each kind of work has a module here that builds its loops from `Parts`, and
`node.app.node` starts and drains them. The functions of `node.app.serve` are what the command line calls.
"""

from node.app.node import Node
from node.app.serve import opened_node, serve
from node.runtime.clock import utc_now

__all__ = ["Node", "opened_node", "serve", "utc_now"]
