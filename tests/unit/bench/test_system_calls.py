"""What strace wrote is read back, and a wrong order is seen."""

from pathlib import Path

import pytest

from bench.receiving.system_calls import calls, faults, steps

_DATA = Path("/data")
_RIGHT = (
    "7 10.000 fsync(15</data/incoming/a.part>) = 0 <0.002>",
    '7 10.003 rename("/data/incoming/a.part", "/data/instances/0f/8d/b.dcm") = 0 <0.001>',
    "7 10.005 fsync(16</data/instances/0f/8d>) = 0 <0.001>",
    "8 10.007 fdatasync(6</data/node.db-wal>) = 0 <0.005>",
    '7 10.013 sendto(12<socket:[1]>, "\\4\\0\\0\\0"..., 144, 0, NULL, 0) = 144 <0.001>',
)


def _faults(lines: tuple[str, ...]) -> list[str]:
    return faults(steps(list(calls(lines)), _DATA, 0))


def test_the_right_order_has_no_fault() -> None:
    """File, name, folder, database, answer."""
    assert _faults(_RIGHT) == []


@pytest.mark.parametrize("missing", [0, 2, 3, 4])
def test_a_missing_step_is_a_fault(missing: int) -> None:
    """Whatever is not brought to the disk is named."""
    assert any(it.startswith("never") for it in _faults(_RIGHT[:missing] + _RIGHT[missing + 1 :]))


def test_an_answer_during_the_sync_of_the_database_is_a_fault() -> None:
    """The call has begun, but it is not over."""
    early = _RIGHT[4].replace("10.013", "10.009")
    assert _faults((*_RIGHT[:4], early)) == ["answer sent before it was over: database brought to the disk"]


def test_a_rename_before_the_file_is_on_the_disk_is_a_fault() -> None:
    """A file that has its name but not its bytes would be torn after a power cut."""
    early = _RIGHT[1].replace("10.003", "9.990")
    assert "file renamed into place before it was over: file brought to the disk" in _faults(
        (_RIGHT[0], early, *_RIGHT[2:])
    )


def test_names_within_open_folders_are_put_together() -> None:
    """A rename may be given descriptors of folders."""
    given = '7 10.003 renameat2(3</data/incoming>, "a.part", 4</data/instances/0f/8d>, "b.dcm", 0) = 0 <0.001>'
    assert _faults((_RIGHT[0], given, *_RIGHT[2:])) == []


def test_a_call_that_another_thread_cuts_in_two_is_put_together() -> None:
    """From its begin to its end."""
    lines = (
        "7 1.000 fdatasync(6</data/node.db-wal> <unfinished ...>",
        "8 1.001 fsync(7</data/x>) = 0 <0.001>",
        "7 1.009 <... fdatasync resumed>) = 0 <0.009>",
    )
    last = list(calls(lines))[-1]
    assert (last.began, last.ended, last.path) == (1.0, pytest.approx(1.009), "/data/node.db-wal")
