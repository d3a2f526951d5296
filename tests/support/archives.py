"""The SOP classes of an archive that is asked and that sends (DICOM PS3.4 C.6.2)."""

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
