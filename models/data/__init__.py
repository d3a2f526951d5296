"""Labelled images and what may not be learned from. It knows files and arrays, no network."""
