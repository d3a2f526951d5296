"""The pixels of heat maps: compressed, once for all of a result that show the same, and for as long as study files.

They are nearly all that results take of a database. What a heat map says of itself stays in its rendition, so that it
can be named and taken back when its picture is gone. It knows bytes and where they begin, no dataset.
"""

import hashlib
import zlib
from dataclasses import dataclass

from sqlalchemy import delete, func, select

from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.tables.result_tables import Analysis, Picture, Rendition

_LEVEL = 1  # a third to a half of the bytes in some 30 ms; the highest levels take more time than room


@dataclass(frozen=True, slots=True)
class Packed:
    """A picture as it is kept."""

    begins_at: int  #: in the dataset whose end it is
    digest: str  #: SHA-256 of its bytes, in hexadecimal
    compressed: bytes


def packed(dataset: bytes, begins_at: int) -> Packed:
    """Return a picture, from which on nothing else stands in its dataset, as it is kept."""
    picture = dataset[begins_at:]
    return Packed(begins_at, hashlib.sha256(picture).hexdigest(), zlib.compress(picture, _LEVEL))


def put(tx: Transaction, analysis_id: int, picture: Packed) -> int:
    """Keep a picture of a result and return its number; one that is kept already is not kept twice."""
    values = {"analysis_id": analysis_id, "digest": picture.digest, "compressed": picture.compressed}
    tx.execute(insert_into(tx, Picture).values(**values).on_conflict_do_nothing())
    same = Picture.analysis_id == analysis_id, Picture.digest == picture.digest
    return tx.execute(select(Picture.id).where(*same)).scalar_one()


def get(tx: Transaction, picture_id: int, analysis_id: int) -> bytes | None:
    """Return the bytes of a picture of a result, or None where it was removed, whoever's has its number since."""
    this = Picture.id == picture_id, Picture.analysis_id == analysis_id
    compressed = tx.scalar(select(Picture.compressed).where(*this))
    return None if compressed is None else zlib.decompress(compressed)


def remove(tx: Transaction, study_uid: str) -> int:
    """Remove the pictures of a study, and return how many there were."""
    of_study = select(Analysis.id).where(Analysis.study_instance_uid == study_uid)
    gone = delete(Picture).where(Picture.analysis_id.in_(of_study)).returning(Picture.id)
    return len(tx.scalars(gone, execution_options={"synchronize_session": False}).all())


def used_bytes(tx: Transaction) -> tuple[int, int]:
    """Return how many bytes of the database results take: all but pictures, and pictures."""
    documents = tx.scalar(select(func.sum(func.length(Rendition.dataset))))
    return int(documents or 0), int(tx.scalar(select(func.sum(func.length(Picture.compressed)))) or 0)
