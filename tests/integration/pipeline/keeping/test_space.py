"""What the target of space counts, and what retention does beside a copy that comes at that moment."""

from datetime import timedelta

from node.dicom.instance.part10 import read_part10
from node.store.arriving import instances
from node.store.keeping import retention
from tests.support.houses.house import PIXELS, House, radiograph, receive
from tests.support.houses.interrupting import Interrupting
from tests.support.houses.line import Line

_DAY_S = 86_400


def _done(house: House) -> None:
    """Bring a study to the end of all work and let it grow old."""
    line = Line(house, peers=())
    line.report()
    house.clock.forward(31 * _DAY_S)


def _remove(house: House) -> retention.Removal:
    before = house.clock() - timedelta(days=30)
    removal = house.database.write(lambda tx: retention.remove(tx, "1.2.3", before, house.clock()))
    assert removal is not None
    return removal


def _on_disk(house: House) -> int:
    """Return the size of all datasets that are kept, which is what rows count."""
    return sum(len(read_part10(house.folder / path).dataset) for path in house.files.kept())


def _used(house: House) -> int:
    return house.database.read(retention.used_bytes)


def _size(house: House) -> int:
    (study,) = house.database.read(lambda tx: retention.removable(tx, house.clock() - timedelta(days=30)))
    return study.size_bytes


def test_each_file_is_counted_once(house: House) -> None:
    """Two senders that take turns bring the same two headers again and again: three rows, two files."""
    for name in ("A^0", "B^Longer", "A^0", "B^Longer"):
        house.receive(radiograph(patient_name=name))
    assert house.rows("SELECT count(*) FROM instance_copies") == [(3,)]
    _done(house)
    assert _used(house) == _size(house) == _on_disk(house)
    for path in _remove(house).paths:
        house.files.remove_with_folder(path)
    assert _used(house) == _on_disk(house) == 0
    house.receive(radiograph())
    assert _used(house) == _on_disk(house)


def test_a_file_that_was_gone_and_came_again_is_counted_as_it_is(house: House) -> None:
    """With another header it has another size."""
    house.receive(radiograph(PIXELS))
    (path,) = house.files.kept()
    house.files.remove(path)
    house.receive(radiograph(body_part=""))
    assert _used(house) == _on_disk(house)


def test_an_equal_copy_that_comes_while_retention_removes_the_first_is_kept(house: House) -> None:
    """One of the two stays, and the row names it; no other sender will bring it a third time."""
    house.receive(radiograph())
    _done(house)
    removals: list[retention.Removal] = []
    receiver_files, house.files = house.files, Interrupting(house.folder, lambda: removals.append(_remove(house)))
    assert receive(house.receiver, radiograph()) == 0x0000
    for path in removals[0].paths:
        receiver_files.remove_with_folder(path)
    held = house.database.read(lambda tx: instances.held(tx, "1.2.3.1.1"))
    assert held is not None
    assert held.removed_at is None
    assert (house.folder / held.newest_path).is_file()
