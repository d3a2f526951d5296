"""What happens to a study: receive, read, compose, deliver.

Joins what the rooms below offer into the steps of the main job. It knows the rules of the work, and no SQL, no
socket and no DICOM toolkit.
"""
