"""Plain words without a library: what every other room may say.

This room knows no database, no network, no DICOM toolkit and no model; it holds values and pure rules about them.
"""
