"""Listings for the operator: plain dicts of JSON values."""
