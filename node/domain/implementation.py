"""How this implementation names itself: to peers, in the files that it writes and in the reports that it makes.

References
----------
DICOM PS3.7 D.3.3.2 (Implementation Class UID and Implementation Version Name); PS3.10 Table 7.1-1.
"""

from node.domain.identifiers import derived_uid

IMPLEMENTATION_CLASS_UID = derived_uid("pacs-node", "implementation class")
IMPLEMENTATION_VERSION_NAME = "PACSNODE_0_1"
