"""Whether an instance is what its command announced, decided on the raw bytes before anything is stored."""

from node.dicom.encoding import InflatesTooLarge, NotParsable
from node.dicom.header import inspect
from node.domain.errors import Refused
from node.domain.identifiers import is_uid
from node.domain.instance import InstanceHeader
from node.network.reception import IncomingInstance

_OUT_OF_RESOURCES = 0xA700
_DATASET_DOES_NOT_MATCH = 0xA900
_CANNOT_UNDERSTAND = 0xC000


def checked_header(incoming: IncomingInstance) -> InstanceHeader:
    """Return the header of an instance whose bytes are a dataset and say what the command said.

    Raises
    ------
    Refused
        0xC000 where the bytes are not one whole dataset; 0xA900 where a UID is missing or none, or where SOP class
        or UIDs of dataset, command and presentation context differ (DICOM PS3.4 B.2.3).
    """
    try:
        header = inspect(incoming.dataset, incoming.transfer_syntax_uid)
    except InflatesTooLarge as error:
        raise Refused(_OUT_OF_RESOURCES, str(error)) from error
    except NotParsable as error:
        raise Refused(_CANNOT_UNDERSTAND, str(error)) from error
    for name, uid in (
        ("SOP Class UID", header.sop_class_uid),
        ("SOP Instance UID", header.sop_instance_uid),
        ("Study Instance UID", header.study_instance_uid),
        ("Series Instance UID", header.series_instance_uid),
    ):
        if not is_uid(uid):
            raise Refused(_DATASET_DOES_NOT_MATCH, f"{name} of the dataset is {'not a UID' if uid else 'missing'}")
    if header.sop_instance_uid != incoming.sop_instance_uid:
        raise Refused(_DATASET_DOES_NOT_MATCH, "SOP Instance UID of command and dataset differ")
    if not header.sop_class_uid == incoming.sop_class_uid == incoming.context_sop_class_uid:
        raise Refused(_DATASET_DOES_NOT_MATCH, "SOP Class UID of context, command and dataset differ")
    return header
