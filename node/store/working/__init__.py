"""Jobs, and what comes of them: readings, results."""
