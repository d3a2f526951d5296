"""The tags of the elements that the walk over a dataset keeps, as 32-bit numbers (group first)."""

CONTRIBUTING_EQUIPMENT_SEQUENCE = 0x0018A001
DEVICE_UID = 0x00181002
MANUFACTURER = 0x00080070
DERIVATION_CODE_SEQUENCE = 0x00089215
ALGORITHM_FAMILY_CODE_SEQUENCE = 0x0066002F
CODES = frozenset({DERIVATION_CODE_SEQUENCE, ALGORITHM_FAMILY_CODE_SEQUENCE})
"""Sequences of codes, of which the first bytes are kept as they are: what is sloppy in them must not cost an image."""
PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})

WANTED = frozenset(  # at the top level, and with a length
    {
        0x00080005,  # Specific Character Set
        0x00080008,  # Image Type
        0x00080016,  # SOP Class UID
        0x00080018,  # SOP Instance UID
        0x0008001C,  # Synthetic Data
        0x00080020,  # Study Date
        0x00080030,  # Study Time
        0x00080050,  # Accession Number
        0x00080060,  # Modality
        0x00080068,  # Presentation Intent Type
        MANUFACTURER,
        0x00080080,  # Institution Name
        0x00080090,  # Referring Physician's Name
        0x00080201,  # Timezone Offset From UTC
        0x00081030,  # Study Description
        0x0008103E,  # Series Description
        0x00100010,  # Patient's Name
        0x00100020,  # Patient ID
        0x00100021,  # Issuer of Patient ID
        0x00100030,  # Patient's Birth Date
        0x00100040,  # Patient's Sex
        0x00101010,  # Patient's Age
        0x00180015,  # Body Part Examined
        0x00185101,  # View Position
        0x00200011,  # Series Number
        0x00200013,  # Instance Number
        0x0020000D,  # Study Instance UID
        0x0020000E,  # Series Instance UID
        0x00200010,  # Study ID
        0x00280008,  # Number of Frames
        0x00280010,  # Rows
        0x00280011,  # Columns
        *CODES,
    }
)
