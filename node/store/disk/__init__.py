"""Files on the disk: written, synced, renamed, locked."""
