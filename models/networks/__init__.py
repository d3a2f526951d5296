"""Architectures, one small file each, and their weights as named arrays. Keras only: no data, no training."""
