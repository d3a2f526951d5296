"""Pixels as plain values: claims checked, frames decoded, padding, rescaling and windows applied."""
