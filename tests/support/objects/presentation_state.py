"""An object of a study that is no image: a presentation state, as a viewer sends it."""

from dataclasses import replace

from node.network.incoming import IncomingInstance

_DX, _PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.11.1"


def presentation_state(came: IncomingInstance, device_uid: str = "") -> IncomingInstance:
    """Return the instance cut off before its pixels as another object, with a Device UID where one is given."""
    end = came.dataset.index(b"\xe0\x7f\x10\x00")
    dataset = came.dataset[:end].replace(_DX.encode() + b"\0", _PRESENTATION_STATE.encode())
    if device_uid:
        value = device_uid.encode() + b"\0" * (len(device_uid) % 2)
        element = b"\x18\x00\x02\x10UI" + len(value).to_bytes(2, "little") + value
        at = dataset.index(b"\x18\x00\x15\x00CS")
        after = at + 8 + int.from_bytes(dataset[at + 6 : at + 8], "little")
        dataset = dataset[:after] + element + dataset[after:]
    return replace(came, dataset=dataset, sop_class_uid=_PRESENTATION_STATE, context_sop_class_uid=_PRESENTATION_STATE)
