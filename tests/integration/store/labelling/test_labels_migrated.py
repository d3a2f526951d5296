"""Objects that were stored by a version that knew no labels wait to be read after the migration."""

from sqlalchemy import create_engine, text

from node.store import schema
from tests.support.databases.stored import EARLY_STUDY

_KEY_OBJECT, _DX = "1.2.840.10008.5.1.4.1.1.88.59", "1.2.840.10008.5.1.4.1.1.1.1"
_INSTANCE = """
INSERT INTO instances (sop_instance_uid, study_instance_uid, series_instance_uid, sop_class_uid, transfer_syntax_uid,
    kind, modality, path, newest_path, size_bytes, header, turned_away, calling_ae_title, called_ae_title, address,
    received_at, removed_at)
VALUES (:uid, '1.2', '1.2.3', :sop_class, '1.2.840.10008.1.2.1', :kind, '', 'a', 'a', 1, '{}', '{}', '', '', '',
    '2026-01-02 12:00:00', :removed_at)
"""


def test_stored_objects_that_may_carry_labels_wait_to_be_read(empty_url: str) -> None:
    """Those of other makers whose file is there: neither images, nor our own, nor what was removed."""
    url = empty_url
    schema.upgrade(url, "0015")
    engine = create_engine(url)
    rows = [
        ("1.2.3.1", _KEY_OBJECT, "other", None),
        ("1.2.3.2", _KEY_OBJECT, "own", None),
        ("1.2.3.3", _DX, "image", None),
        ("1.2.3.4", _KEY_OBJECT, "other", "2026-01-03 12:00:00"),
    ]
    with engine.begin() as connection:
        connection.execute(text(EARLY_STUDY))
        for uid, sop_class, kind, removed_at in rows:
            values = {"uid": uid, "sop_class": sop_class, "kind": kind, "removed_at": removed_at}
            connection.execute(text(_INSTANCE), values)
    schema.upgrade(url)
    with engine.connect() as connection:
        waiting = connection.execute(text("SELECT sop_instance_uid, verdict, state FROM label_objects")).all()
    engine.dispose()
    assert waiting == [("1.2.3.1", "unread", "waiting")]
