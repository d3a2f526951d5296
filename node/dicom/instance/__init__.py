"""What one object says of itself, but for its pixels: its file, its header, and whether it is an image."""
