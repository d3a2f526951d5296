"""The label loop through the front door of a node: two hospitals, their readers, and the page about it."""
