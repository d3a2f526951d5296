"""Champions and challengers, and whom to hold out, on the public data sets alone."""
