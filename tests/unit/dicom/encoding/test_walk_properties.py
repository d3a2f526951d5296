"""What holds for every dataset and for all bytes, drawn at random; the draws are the same in every run."""

import io
import struct
import warnings
from collections.abc import Iterator

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filereader import read_dataset

from node.dicom.encoding.structure import MAXIMUM_VALUE_BYTES, Structure, check_structure
from node.dicom.encoding.tags import WANTED
from node.dicom.encoding.transfer_syntax import NotParsable, encoding_of
from node.dicom.instance.header import header_of, inspect, inspect_head
from node.domain.identifiers import is_uid
from tests.unit.dicom.encoding.encoder import UIDS, Valid, deflated, valid_datasets
from tests.unit.dicom.raw import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, JPEG_BASELINE, SMALL, explicit

_CHARACTER_SET = 0x00080005  # pydicom has decoded it already
_SYNTAXES = st.sampled_from([EXPLICIT, IMPLICIT, BIG_ENDIAN, JPEG_BASELINE, DEFLATED])
_repeatable = settings(suppress_health_check=list(HealthCheck))
_PYDICOM_GIVES_UP = (
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
)


def _by_pydicom(plain: bytes, transfer_syntax_uid: str) -> Dataset | None:
    encoding = encoding_of(transfer_syntax_uid)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read_dataset(io.BytesIO(plain), encoding.implicit, not encoding.big_endian)
        except _PYDICOM_GIVES_UP:
            return None


def _raw(dataset: Dataset, tag: int) -> bytes | None:
    if tag not in dataset:
        return None
    value = dataset.get_item(tag).value
    return (value or b"")[:MAXIMUM_VALUE_BYTES] if isinstance(value, bytes | None) else None


def _steps_within_reason(structure: Structure) -> bool:
    """Every step moves by 8 bytes at least, or closes something."""
    return structure.steps <= 2 * (len(structure.dataset) // 8 + 1)


@_repeatable
@given(valid_datasets())
def test_every_valid_dataset_is_let_in_and_read_as_pydicom_reads_it(valid: Valid) -> None:
    """The wanted values are the same bytes, whatever stands around them."""
    read = _by_pydicom(valid.plain, valid.transfer_syntax_uid)
    assert read is not None
    with check_structure(valid.dataset, valid.transfer_syntax_uid) as structure:
        assert bytes(structure.dataset) == valid.plain
        compared = WANTED - {_CHARACTER_SET}
        values = {tag: value for tag, value in structure.values.items() if tag in compared}
        assert values == {tag: value for tag in compared if (value := _raw(read, tag)) is not None}
        assert _steps_within_reason(structure)
        pixels = next((element for element in valid.elements if element.tag == 0x7FE00010), None)
        if pixels is not None and pixels.fragments is None:
            offset, length = structure.pixels or (0, 0)
            assert structure.dataset[offset : offset + length] == pixels.value
    header = header_of(structure, valid.transfer_syntax_uid)
    assert all(map(is_uid, (header.sop_class_uid, header.sop_instance_uid, header.study_instance_uid)))


def _cuts(dataset: bytes) -> Iterator[bytes]:
    return (dataset[:length] for length in range(len(dataset)))


@settings(_repeatable, max_examples=30)
@given(valid_datasets())
def test_a_valid_dataset_cut_anywhere_gives_a_structure_or_is_refused(valid: Valid) -> None:
    """Nothing else is raised, and what is let in was cut at a seam between two elements of its top level."""
    for cut in _cuts(valid.dataset):
        try:
            with check_structure(cut, valid.transfer_syntax_uid) as structure:
                let_in, values = bytes(structure.dataset), structure.values
        except NotParsable:
            continue
        read = _by_pydicom(let_in, valid.transfer_syntax_uid)
        assert read is not None
        assert valid.plain.startswith(let_in)
        assert all(values.get(tag) == _raw(read, tag) for tag in UIDS)


_change = st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=8), st.booleans())


def _changed(plain: bytes, changes: list[tuple[int, bytes, bool]]) -> bytes:
    data = bytearray(plain)
    for place, new, inserts in changes:
        at = place % (len(data) + 1)
        data[at : at if inserts else at + len(new)] = new
    return bytes(data)


_telling = st.sampled_from(
    [b"\xff\xff\xff\xff", b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0", b"SQ", b"UN", b"OB", bytes(8)]
)
_changes = st.lists(
    st.one_of(_change, st.tuples(st.integers(0, 10_000), _telling, st.booleans())), min_size=1, max_size=4
)


@settings(_repeatable, max_examples=400)
@given(valid_datasets(), _changes)
def test_a_changed_dataset_gives_a_structure_or_is_refused(
    valid: Valid, changes: list[tuple[int, bytes, bool]]
) -> None:
    """Where pydicom can read what is let in, it reads the same UIDs."""
    plain = _changed(valid.plain, changes)
    dataset = deflated(plain) if valid.transfer_syntax_uid == DEFLATED else plain
    try:
        with check_structure(dataset, valid.transfer_syntax_uid) as structure:
            values, bounded = structure.values, _steps_within_reason(structure)
    except NotParsable:
        return
    assert bounded
    read = _by_pydicom(plain, valid.transfer_syntax_uid)
    if read is not None:
        assert [values.get(tag) for tag in UIDS] == [_raw(read, tag) for tag in UIDS]


@settings(_repeatable, max_examples=400)
@given(st.binary(max_size=300), _SYNTAXES, st.booleans())
def test_random_bytes_give_a_header_or_are_refused(noise: bytes, syntax: str, packed: bool) -> None:  # noqa: FBT001
    """Deflated ones too, before and after they are inflated."""
    try:
        header = inspect(deflated(noise) if packed else noise, syntax)
    except NotParsable:
        return
    assert "\0" not in header.patient_name + header.sop_instance_uid


@settings(_repeatable, max_examples=200)
@given(valid_datasets(), _changes, st.integers(0, 400))
def test_the_beginning_of_a_dataset_tells_what_all_of_it_tells_or_nothing(
    valid: Valid, changes: list[tuple[int, bytes, bool]], length: int
) -> None:
    """Valid or changed, and wherever the beginning ends; of what is not let in it tells nothing."""
    for dataset in (valid.dataset, _changed(valid.dataset, changes)):
        try:
            header = inspect(dataset, valid.transfer_syntax_uid)
        except NotParsable:
            header = None
        assert inspect_head(dataset[:length], len(dataset), valid.transfer_syntax_uid) in (None, header)
        whole = inspect_head(dataset, len(dataset), valid.transfer_syntax_uid)
        assert whole == (None if valid.transfer_syntax_uid == DEFLATED else header)


def test_the_beginning_tells_the_header_where_nothing_but_pixels_is_beyond() -> None:
    """A value that is cut off, and an element behind the pixels, leave it to the whole dataset."""
    pixels = explicit(0x7FE00010, b"OW", bytes(4000))
    image = SMALL + pixels
    assert inspect_head(image[: len(SMALL) + 20], len(image), EXPLICIT) == inspect(image, EXPLICIT)
    assert inspect_head(image[: len(SMALL) - 1], len(image), EXPLICIT) is None
    assert inspect_head(image[:-1], len(image) + 8, EXPLICIT) is None
    padded = image + explicit(0xFFFCFFFC, b"OB", bytes(2))
    assert inspect_head(padded[:-14], len(padded), EXPLICIT) is None
