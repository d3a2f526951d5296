"""Whom a report names, read back from its bytes."""

import io

from node.dicom.encoding.transfer_syntax import NotParsable

_PATIENT_ID = 0x00100020


def patient_id_of(dataset: bytes) -> str:
    """Return the (0010,0020) Patient ID of a report of this node, Implicit VR Little Endian; "" where it has none.

    Raises
    ------
    NotParsable
        Where the bytes are no such dataset.
    """
    from pydicom.filereader import read_dataset  # noqa: PLC0415 - a listing names a function here and reads no report

    plain = io.BytesIO(dataset)
    try:
        read = read_dataset(plain, is_implicit_VR=True, is_little_endian=True, specific_tags=[_PATIENT_ID])
    except (EOFError, ValueError) as error:
        raise NotParsable("the report's bytes are no dataset") from error
    return str(read.get("PatientID") or "")
