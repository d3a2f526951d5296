"""Architectures, one small file each. Keras only: no data, no training, no weights."""
