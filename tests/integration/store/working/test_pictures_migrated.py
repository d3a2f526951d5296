"""Heat maps that a version kept whole are kept without their pictures after the migration, and read back the same."""

from sqlalchemy import create_engine, text

from node.store import schema
from node.store.database import Database
from node.store.working import analyses, pictures
from tests.support.databases.stored import EARLY_STUDY

_TAG = b"\xe0\x7f\x10\x00"  # a value of the header may hold it, too
_HEAD = b"\x08\x00\x05\x00\x08\x00\x00\x00" + _TAG + b"ISO."
_PICTURE = _TAG + (3000).to_bytes(4, "little") + bytes(3000)
_ANALYSIS = """
INSERT INTO analyses (id, study_instance_uid, model, version, outcome, inputs_digest, conclusion, patient_key,
    created_at)
VALUES (1, '1.2', 'm', '1', 'positive', '', '', '', '2026-01-02 12:00:00')
"""
_RENDITION = """
INSERT INTO renditions (id, analysis_id, kind, sop_class_uid, sop_instance_uid, series_instance_uid,
    transfer_syntax_uid, profile, language, dataset)
VALUES (:id, 1, :kind, '1', :uid, '1', '1', 'default', 'en', :dataset)
"""


def test_pictures_are_taken_out_of_heat_maps_and_put_back(empty_url: str) -> None:
    """Two that show the same share one; a report stays as it is, whatever bytes stand in it."""
    made = [(1, "report", _HEAD + _PICTURE), (2, "heatmap", _HEAD + _PICTURE), (3, "heatmap", _HEAD + _PICTURE)]
    schema.upgrade(empty_url, "0018")
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text(EARLY_STUDY))
        connection.execute(text(_ANALYSIS))
        for number, kind, dataset in made:
            values = {"id": number, "kind": kind, "uid": f"1.2.{number}", "dataset": dataset}
            connection.execute(text(_RENDITION), values)
    schema.upgrade(empty_url)
    database = Database.open(empty_url)
    found = database.read(lambda tx: [analyses.rendition(tx, number) for number, *_ in made])
    documents, _ = database.read(pictures.used_bytes)
    database.close()
    assert [(one.dataset, one.is_whole) for one in found] == [(dataset, True) for *_, dataset in made]
    assert documents == 3 * len(_HEAD) + len(_PICTURE)
    schema.downgrade(empty_url, "0018")
    with engine.connect() as connection:
        after = connection.execute(text("SELECT id, kind, dataset FROM renditions ORDER BY id")).all()
    engine.dispose()
    assert [(number, kind, bytes(dataset)) for number, kind, dataset in after] == made
