"""Labels from a file, as final reports come in: all of its rows, or none where one is wrong.

The same file twice is harmless: what a row says gives it its identity.
"""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, replace
from datetime import datetime
from pathlib import Path

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.identifiers import derived_uid
from node.domain.label import Label, LabelRule, SourceKind
from node.pipeline.labels.label_policy import policy_of
from node.pipeline.labels.labels_from_words import note
from node.pipeline.labels.rows import Row, rows_of
from node.pipeline.opened import write_once
from node.store import audit
from node.store.arriving.merges import PatientName
from node.store.database import Transaction
from node.store.labelling import labels
from node.store.labelling.label_places import Places, places_of

_NOBODY = PatientName("")


def bring_in(settings: Settings, file: Path, who: str, now: datetime) -> str:
    """Import the labels of a file, and say how many are new and how many of them wait for their images.

    Parameters
    ----------
    settings
        The configuration.
    file
        A CSV file in UTF-8 with a header: at least one of accession, study, series and instance; class; reader; time;
        and present, unless class says it ("no pneumonia").
    who, now
        Who imports it, and when.

    Raises
    ------
    OperatorError
        Naming every faulty row; nothing was imported then.
    """
    rows, faults = rows_of(file, policy_of(settings), now)

    def work(tx: Transaction) -> str:
        places = places_of(tx, (row.place for row in rows))
        wrong = sorted([*faults, *_misplaced(rows, places)])
        if wrong:
            lines = "\n".join(f"  line {number}: {fault}" for number, fault in wrong)
            raise OperatorError(f"{file}: nothing was imported, {len(wrong)} rows are wrong:\n{lines}")
        return _import(tx, rows, places, who, now)

    return write_once(settings, work)


def _import(tx: Transaction, rows: Sequence[Row], places: Places, who: str, now: datetime) -> str:
    by_uid = {_source_uid(row): row for row in rows}
    known = labels.known_sources(tx, by_uid)
    fresh = {uid: row for uid, row in by_uid.items() if uid not in known}
    added = [_label(tx, uid, row, places) for uid, row in fresh.items()]
    labels.add_all(tx, added, _NOBODY, now, who)
    note(tx, now, added, who)
    parked = sum(not places.is_here(row.place) for row in fresh.values())
    audit.add(tx, now, "labels imported", by=who, labels=len(added), known=len(known), waiting=parked)
    waiting = f"; {parked} of them wait for their images" if parked else ""
    return f"{len(added)} labels imported, {len(known)} were here already{waiting}"


def _label(tx: Transaction, uid: str, row: Row, places: Places) -> Label:
    study, series = places.filled(row.place)
    label = Label(
        study_instance_uid=study,
        series_instance_uid=series,
        sop_instance_uid=row.place.instance,
        class_name=row.class_name,
        present=row.present,
        reader=row.reader,
        made_at=row.made_at,
        source_uid=uid,
        source_kind=SourceKind.CSV,
        rule=LabelRule.ROW,
        result_visible=None,
        accession_number="" if study or series or row.place.instance else row.place.accession,
    )
    return replace(label, result_visible=labels.result_visible(tx, label, time_is_known=row.has_time_of_day))


def _source_uid(row: Row) -> str:
    said = row.class_name, str(row.present), row.reader, row.made_at.isoformat()
    return derived_uid("label row", *astuple(row.place), *said)


def _misplaced(rows: Sequence[Row], places: Places) -> Iterator[tuple[int, str]]:
    """Yield the rows that name what contradicts what is here, with why."""
    for row in rows:
        fault = places.fault(row.place)
        if fault:
            yield row.number, fault
