"""The log: what it costs whoever writes to it, and what it tells of threads that end."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import structlog

from node import telemetry

_SAYS_AND_GOES_ON = (
    "from node import telemetry; telemetry.configure(); log = telemetry.logger('room'); "
    "[log.error('something happened', line=line) for line in range(1000)]; print('went on')"
)


@pytest.fixture
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the log, and what hears of threads, as they were."""
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_a_log_whose_reader_is_gone_costs_its_lines_alone() -> None:
    """The process goes on, and ends as it would have ended."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as log:
        _goes_on(log)


def test_a_log_on_a_full_disk_costs_its_lines_alone() -> None:
    """As with a service manager that writes it to a file."""
    with open("/dev/full", "wb") as log:  # noqa: PTH123 - a device
        _goes_on(log)


def _goes_on(log: io.BufferedIOBase) -> None:
    command = [sys.executable, "-c", _SAYS_AND_GOES_ON]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, check=False)
    assert (done.returncode, done.stdout) == (0, b"went on\n")


@pytest.mark.usefixtures("unconfigured")
def test_a_thread_that_ends_unforeseen_is_told_of_without_its_words(capfd: pytest.CaptureFixture[str]) -> None:
    """They may quote a dataset; its type and its place do not."""
    telemetry.configure(form="json")
    thread = threading.Thread(target=lambda: int("DOE^JANE"), name="courier")
    thread.start()
    thread.join()
    said = capfd.readouterr().err
    (line,) = said.splitlines()
    told = json.loads(line)
    assert (told["event"], told["thread"], told["error"]) == ("thread ended", "courier", "ValueError")
    assert told["place"].startswith("test_telemetry.py:")
    assert "DOE" not in said


@pytest.mark.usefixtures("unconfigured")
def test_a_thread_that_leaves_is_not_told_of(capfd: pytest.CaptureFixture[str]) -> None:
    """It meant to."""
    telemetry.configure()
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()
    assert capfd.readouterr().err == ""
