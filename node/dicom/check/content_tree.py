"""The last look at the content tree of a document of ours: each item whole, in a place where it may stand, and true.

It takes a dataset as a receiver reads it, and knows nothing of what was meant.

References
----------
DICOM PS3.3 C.17.3 (content items), C.18.6 (spatial coordinates), A.35.1, A.35.2, A.35.3, A.35.13 (relationships);
PS3.16 TID 1500, 1501, 1004, 4019
"""

import math
from collections.abc import Callable, Iterator, Sequence

from pydicom import Dataset

from node.domain.errors import Permanent

_TID_1500 = "126000"
_GROUP, _TRACKING, _TRACKING_UID = "125007", "112039", "112040"
_CERTAINTY, _Z_SCORE, _SUMMARY, _NOT_READ = "111012", "113071", "111065", {"111224", "111225"}
_OF_A_REPORT = {
    "121049": "language", "121005": "observer type", "121012": "device observer UID", "121058": "procedure reported",
    "111028": "image library", "126010": "imaging measurements", _SUMMARY: "summary of analyses", _GROUP: "group",
}  # fmt: skip
_OF_A_GROUP = {
    _TRACKING: "tracking identifier", _TRACKING_UID: "tracking UID", "111001": "algorithm name",
    "111003": "algorithm version", "121112": "source image", "121106": "line for a person",
}  # fmt: skip
#: Concepts of the tree, and the element of Contributing Equipment whose value they repeat (IHE AI Results).
_REPEATED = {
    "111001": "ManufacturerModelName", "111003": "SoftwareVersions", "121012": "DeviceUID", "121014": "Manufacturer",
    "121015": "ManufacturerModelName",
}  # fmt: skip

#: What our documents use of what every SOP class of theirs allows: whom a relationship leads from, and to what.
_MAY_STAND = {
    "CONTAINS": ({"CONTAINER"}, {"CODE", "CONTAINER", "IMAGE", "NUM", "TEXT"}),
    "HAS OBS CONTEXT": ({"CONTAINER"}, {"CODE", "TEXT", "UIDREF"}),
    "HAS ACQ CONTEXT": ({"CONTAINER", "IMAGE"}, {"CODE", "NUM", "TEXT"}),
    "HAS CONCEPT MOD": ({"CODE", "CONTAINER", "NUM", "TEXT"}, {"CODE", "TEXT"}),
    "INFERRED FROM": ({"CODE", "NUM", "TEXT"}, {"IMAGE", "SCOORD"}),
    "SELECTED FROM": ({"SCOORD"}, {"IMAGE"}),
}


def check_tree(document: Dataset) -> None:
    """See that every content item is whole and may stand where it does, and that a report has what its templates ask.

    Raises
    ------
    Permanent
        The message names the concept, by its code, and never a value.
    """
    _check_item(document)
    if _name(document) == _TID_1500:
        _check_report(document)


def _check_item(item: Dataset) -> None:
    kind = str(item.get("ValueType", ""))
    check = _WHOLE.get(kind)
    if check is None or not _is_code(item.get("ConceptNameCodeSequence")):
        raise Permanent(f"a content item of type {kind or 'none'} would have no name or be of an unknown type")
    if not check(item):
        raise Permanent(f"the content item {_name(item)} of type {kind} would not be whole")
    for child in item.get("ContentSequence", ()):
        relationship = str(child.get("RelationshipType", ""))
        parents, children = _MAY_STAND.get(relationship, ((), ()))
        if kind not in parents or child.get("ValueType") not in children:
            raise Permanent(f"a content item would stand where it may not: {kind} {relationship or 'to'} its child")
        _check_item(child)


def _is_code(sequence: Sequence[Dataset] | None) -> bool:
    """Say whether a sequence is one code of the basic form (PS3.3 8.8)."""
    parts = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
    items = sequence or ()
    return len(items) == 1 and all(str(items[0].get(keyword, "")).strip() for keyword in parts)


def _only(item: Dataset, keyword: str) -> Dataset:
    """Return the one item of a sequence; an empty one where it has none, or several."""
    items = item.get(keyword) or []
    return items[0] if len(items) == 1 else Dataset()


def _is_container(item: Dataset) -> bool:
    return item.get("ContinuityOfContent") == "SEPARATE" and bool(item.get("ContentSequence"))


def _is_number(item: Dataset) -> bool:
    measured = _only(item, "MeasuredValueSequence")
    value = measured.get("NumericValue")
    if not _is_code(measured.get("MeasurementUnitsCodeSequence")):
        return False
    if value is None or isinstance(value, str) or not math.isfinite(value):
        return False
    return _name(item) != _CERTAINTY or 0 <= value <= 100


def _is_image(item: Dataset) -> bool:
    reference = _only(item, "ReferencedSOPSequence")
    return all(reference.get(keyword) for keyword in ("ReferencedSOPClassUID", "ReferencedSOPInstanceUID"))


def _is_region(item: Dataset) -> bool:
    """Say whether coordinates are a closed polyline on one image (PS3.3 C.18.6.1.2)."""
    data = [float(value) for value in item.get("GraphicData") or ()]
    closed = len(data) >= 8 and len(data) % 2 == 0 and data[:2] == data[-2:]
    on_image = [child.get("ValueType") for child in item.get("ContentSequence", ())] == ["IMAGE"]
    return item.get("GraphicType") == "POLYLINE" and closed and on_image and min(data) >= 0


_WHOLE: dict[str, Callable[[Dataset], bool]] = {
    "CODE": lambda item: _is_code(item.get("ConceptCodeSequence")),
    "CONTAINER": _is_container,
    "IMAGE": _is_image,
    "NUM": _is_number,
    "SCOORD": _is_region,
    "TEXT": lambda item: bool(str(item.get("TextValue", "")).strip()),
    "UIDREF": lambda item: bool(item.get("UID")),
}


def _check_report(report: Dataset) -> None:
    """See that a report has what TID 1500, TID 1501 and IHE AI Results ask for."""
    template = _only(report, "ContentTemplateSequence")
    if (template.get("MappingResource"), template.get("TemplateIdentifier")) != ("DCMR", "1500"):
        raise Permanent("the report would not name its template, TID 1500")
    _check_has(report, _OF_A_REPORT, "report")
    groups = [item for item in _items(report) if _name(item) == _GROUP]
    for group in groups:
        _check_group(group)
    uids = [str(item.UID) for item in _items(report) if _name(item) == _TRACKING_UID]
    if len(set(uids)) < len(uids):
        raise Permanent("two measurement groups would have the same tracking UID")
    _check_equipment(report)
    _check_on_images(report)


def _check_has(item: Dataset, wanted: dict[str, str], what: str) -> None:
    names = {_name(one) for one in _items(item)}
    for code, meaning in wanted.items():
        if code not in names:
            raise Permanent(f"the {what} would have no {meaning} ({code}, DCM)")


def _check_group(group: Dataset) -> None:
    _check_has(group, _OF_A_GROUP, "measurement group")
    said = {str(it.ConceptCodeSequence[0].CodeValue) for it in _items(group) if _name(it) == _SUMMARY}
    if said & _NOT_READ and any(_name(item) in {_CERTAINTY, _Z_SCORE} for item in _items(group)):
        raise Permanent("a measurement group would give a score of an image that was not assessed")


def _check_equipment(report: Dataset) -> None:
    """See that the algorithm is named alike wherever it is named."""
    equipment = _only(report, "ContributingEquipmentSequence")
    if not equipment:
        raise Permanent("the report would have no ContributingEquipmentSequence")
    for item in _items(report):
        keyword = _REPEATED.get(_name(item))
        if keyword and str(item.get("TextValue", item.get("UID", ""))) != str(equipment.get(keyword, "")):
            raise Permanent(f"the report would name another {keyword} in its tree than in its contributing equipment")


def _check_on_images(report: Dataset) -> None:
    """See that no region leaves the images, whose sizes stand in the image library."""
    sizes = dict[str, list[float]]()
    for item in _items(report):
        if _name(item) in {"110910", "110911"}:
            sizes.setdefault(_name(item), []).append(float(item.MeasuredValueSequence[0].NumericValue))
    rows, columns = (max([1.0, *sizes.get(code, [])]) for code in ("110910", "110911"))
    for item in _items(report):
        if item.ValueType == "SCOORD":
            data = [float(value) for value in item.GraphicData]
            if max(data[0::2]) > columns or max(data[1::2]) > rows:
                raise Permanent("a region would leave its image")


def _items(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", ()):
        yield child
        yield from _items(child)


def _name(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].get("CodeValue", "")) if names else ""
