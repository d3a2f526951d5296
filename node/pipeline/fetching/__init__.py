"""Studies fetched from an archive."""
