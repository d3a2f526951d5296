"""One trained version on disk: its manifest, its digests, its arrays. It runs nothing."""
