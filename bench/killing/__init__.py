"""The node is killed again and again: by whom, who sends on, who gets reports, and what was promised."""
