"""Whether an instance is what its command announced, decided on the raw bytes before anything is stored.

Elements of group 0002 belong to files and to no dataset (DICOM PS3.5 7.1, PS3.10 7.1). Some senders put them there all
the same, and other receivers take such an instance (DCMTK drops them, dcm4che reads over them), so it is stored as it
came, with a warning in the log: refusing it would lose an image over what harms nobody here. This node finds the end
of its own meta information by its group length, and so never takes those for it; another program might.
"""

from node.dicom.encoding.mapped import Scratch
from node.dicom.encoding.transfer_syntax import DEFLATED, InflatesTooLarge, NotParsable
from node.dicom.instance.header import inspect, inspect_head
from node.domain.errors import Refused
from node.domain.identifiers import is_uid
from node.domain.instance import InstanceHeader
from node.network.incoming import Announced
from node.telemetry import logger

_OUT_OF_RESOURCES = 0xA700
_DATASET_DOES_NOT_MATCH = 0xA900
_CANNOT_UNDERSTAND = 0xC000

_FILE_META_GROUPS = (b"\2\0", b"\0\2")  # in either byte order; whatever else begins so is not parsable

_log = logger("pipeline.announced")


def check_announced(announced: Announced) -> None:
    """Refuse, before its dataset comes, an instance whose SOP class is not that of its presentation context.

    Raises
    ------
    Refused
        0xA900 (DICOM PS3.4 B.2.3).
    """
    if announced.sop_class_uid != announced.context_sop_class_uid:
        raise Refused(_DATASET_DOES_NOT_MATCH, "SOP Class UID of context and command differ")


def checked_header(dataset: memoryview, announced: Announced, scratch: Scratch) -> InstanceHeader:
    """Return the header of an instance whose bytes are a dataset and say what the command said.

    Parameters
    ----------
    dataset
        The encoded dataset, without preamble and file meta information.
    announced
        What the command said; `check_announced` has let it pass.
    scratch
        Opens the file that a deflated dataset is inflated into.

    Raises
    ------
    Refused
        0xC000 where the bytes are not one whole dataset; 0xA900 where a UID is missing or none, or where SOP class
        or UIDs of dataset and command differ (DICOM PS3.4 B.2.3); 0xA700 where it inflates past the cap.
    OSError
        The scratch file cannot be written.
    """
    try:
        header = inspect(dataset, announced.transfer_syntax_uid, scratch)
    except InflatesTooLarge as error:
        raise Refused(_OUT_OF_RESOURCES, str(error)) from error
    except NotParsable as error:
        raise Refused(_CANNOT_UNDERSTAND, str(error)) from error
    return _as_announced(header, announced, bytes(dataset[:2]))


def checked_head(head: bytes, size_bytes: int, announced: Announced) -> InstanceHeader | None:
    """Return what `checked_header` returns, where the first bytes of a dataset tell it; None where they do not.

    Parameters
    ----------
    head
        The first bytes of the encoded dataset, or all.
    size_bytes
        Of the whole dataset.
    announced
        What the command said; `check_announced` has let it pass.

    Raises
    ------
    Refused
        0xA900, as `checked_header` does.
    """
    header = inspect_head(head, size_bytes, announced.transfer_syntax_uid)
    return None if header is None else _as_announced(header, announced, head[:2])


def _as_announced(header: InstanceHeader, announced: Announced, first_bytes: bytes) -> InstanceHeader:
    check_uids(header)
    if header.sop_instance_uid != announced.sop_instance_uid:
        raise Refused(_DATASET_DOES_NOT_MATCH, "SOP Instance UID of command and dataset differ")
    if header.sop_class_uid != announced.sop_class_uid:
        raise Refused(_DATASET_DOES_NOT_MATCH, "SOP Class UID of command and dataset differ")
    if first_bytes in _FILE_META_GROUPS and announced.transfer_syntax_uid not in DEFLATED:
        caller, uid = announced.calling_ae_title, announced.sop_instance_uid
        _log.warning("file meta information in a dataset", calling_ae_title=caller, sop_instance_uid=uid)
    return header


def check_uids(header: InstanceHeader) -> None:
    """See that a header has the four UIDs without which it cannot be kept.

    Raises
    ------
    Refused
        0xA900 where one is missing or is none.
    """
    for name, uid in (
        ("SOP Class UID", header.sop_class_uid),
        ("SOP Instance UID", header.sop_instance_uid),
        ("Study Instance UID", header.study_instance_uid),
        ("Series Instance UID", header.series_instance_uid),
    ):
        if not is_uid(uid):
            raise Refused(_DATASET_DOES_NOT_MATCH, f"{name} of the dataset is {'not a UID' if uid else 'missing'}")
