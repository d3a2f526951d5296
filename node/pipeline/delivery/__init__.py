"""A report out: to the right patient at each peer, in time, once, and committed."""
