"""What is lost or interrupted in a COMMIT that was done all the same: the row is there, and so is its file."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from node.domain.errors import Refused
from tests.support.houses.house import House, radiograph


def _engine(house: House) -> Engine:
    writer = house.database._writer
    return getattr(writer, "_together", writer)._engine  # type: ignore[no-any-return]


def _failing_after(commit: Callable[[Any], None], error: BaseException) -> Callable[[Any], None]:
    def commit_and_fail(connection: Any) -> None:
        commit(connection)
        raise error

    return commit_and_fail


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("Doe^Jane"), KeyboardInterrupt()], ids=repr)
def test_a_file_stays_whatever_came_up_in_the_commit(
    house: House, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what has failed for certain removes it: a row without its file would break the first promise."""
    dialect = _engine(house).dialect
    with monkeypatch.context() as patched:
        patched.setattr(dialect, "do_commit", _failing_after(dialect.do_commit, error))
        with pytest.raises((Refused, KeyboardInterrupt)) as caught:
            house.receive(radiograph())
    ((path,),) = house.rows("SELECT path FROM instances")
    assert (house.folder / path).is_file()
    assert "Doe" not in str(caught.value)
    found = house.recovery.run()
    assert (found.missing, found.adopted, found.removed, found.set_aside) == (0, 0, 0, 0)
    assert house.receive(radiograph()) == 0x0000


def test_a_defect_before_the_commit_leaves_no_file(house: House) -> None:
    """Then nothing was recorded, for certain."""
    house.rules = None  # type: ignore[assignment]
    with pytest.raises((AttributeError, TypeError)):
        house.receive(radiograph())
    assert not house.rows("SELECT * FROM instances")
    assert not [path for path in (house.folder / "instances").rglob("*") if path.is_file()]
