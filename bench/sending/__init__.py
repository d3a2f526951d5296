"""DICOM as bytes and as little more than a socket: what every benchmark sends with."""
