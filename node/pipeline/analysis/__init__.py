"""A study read and composed: completion, readings, conclusion, report."""
