"""Whether an instance could be kept: what is said of it."""

import errno
from pathlib import Path

from structlog.testing import capture_logs

from node.pipeline.intake.congestion import Congestion
from node.store.disk.files import Free, InstanceFiles

_FULL = OSError(errno.ENOSPC, "No space left on device")


def test_trouble_that_comes_and_goes_is_told_of_once_a_minute(tmp_path: Path) -> None:
    """On a full disk what is small can be written, and what is large cannot: each tells the other's end."""
    now = [0.0]
    congestion = Congestion(lambda: None, InstanceFiles(tmp_path), Free(0, 0), lambda: now[0])
    with capture_logs() as events:
        for moment in range(90):
            now[0] = float(moment)
            assert congestion.noticed(_FULL).status == 0xA700
            assert congestion.reason() is None
    said = ["instances cannot be stored", "instances can be stored again"]
    assert [event["event"] for event in events] == said * 2


def test_trouble_that_lasts_is_told_of_though_it_ended_a_moment_ago(tmp_path: Path) -> None:
    """As soon as the minute is over, by whoever asks next."""
    now, works = [0.0], [True]

    def ping() -> None:
        if not works[0]:
            raise _FULL

    congestion = Congestion(ping, InstanceFiles(tmp_path), Free(0, 0), lambda: now[0])
    congestion.noticed(_FULL)
    assert congestion.reason() is None
    works[0] = False
    with capture_logs() as events:
        congestion.noticed(_FULL)
        assert congestion.reason() is not None
        assert events == []
        now[0] = 60.0
        assert congestion.reason() is not None
    assert [event["event"] for event in events] == ["instances cannot be stored"]
