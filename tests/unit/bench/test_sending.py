"""What is sent with as little as possible is what DICOM asks for."""

import pytest

from bench.receiving.workloads import small
from bench.sending.upper_layer import Instance, store_request
from bench.sending.whole_files import uid_and_dataset
from bench.sending.wire import FIELD, STORE_RQ, messages


@pytest.mark.parametrize("uid", ["1.2.3", "1.2.34"])
@pytest.mark.parametrize("size", [2, 16_378, 16_380, 200_000])
def test_a_request_is_read_back_from_its_pdus(uid: str, size: int) -> None:
    """Whole, whether its last PDU is full or not, and whether its UID is padded or not."""
    dataset = bytes(number % 251 for number in range(size))
    (read,) = messages(store_request(Instance("1.2.840.10008.5.1.4.1.1.4", uid, dataset), 7, 16_384))
    assert (read.number(FIELD), read.sop_instance_uid, read.dataset) == (STORE_RQ, uid, dataset)


def test_a_file_is_taken_apart_without_a_dicom_library() -> None:
    """UID and dataset, as they were written."""
    workload = small(3)
    assert [uid_and_dataset(whole) for _, whole in workload.files(1)] == list(workload.datasets(1))
