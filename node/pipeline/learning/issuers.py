"""Patient IDs that stand on several sides because headers name several issuers with them, or none.

Whether they are one person nobody here knows: two hospitals number alike. An operator may: `patients merge` says so.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from shlex import join
from typing import Any

from node.config import Settings
from node.domain.split import Side
from node.pipeline.check_line import CheckLine
from node.pipeline.learning.naming import naming
from node.pipeline.opened import open_database
from node.store.arriving.merges import PatientName
from node.store.database import Database, Transaction
from node.store.learning import splits, training_set

ISSUERS_COLUMNS = ("patient_id", "issuers", "sides", "images", "settle")


@dataclass(frozen=True, slots=True)
class Divided:
    """A Patient ID whose images are used on several sides."""

    patient_id: str
    images: Mapping[PatientName, int]  #: by the patient as whom they count, the one with most first
    sides: tuple[Side, ...]


def divided(tx: Transaction, issuer: str) -> list[Divided]:
    """Return the Patient IDs of which images are used on several sides; `issuer` is `[retrain] issuer`."""
    salt = splits.salt_of(tx)
    if salt is None:
        return []
    whose, named = naming(tx, salt, issuer), training_set.patients(tx)
    found: dict[str, dict[PatientName, list[Side]]] = defaultdict(lambda: defaultdict(list))
    for one in training_set.all(tx):
        header = named.get(one.sop_instance_uid)
        if header is not None and header.patient_id and not one.left_out:
            found[header.patient_id][whose.counted(header)].append(one.side)
    each = [_divided(number, some) for number, some in sorted(found.items())]
    return [one for one in each if len(one.images) > 1 and len(one.sides) > 1]


def _divided(number: str, some: Mapping[PatientName, list[Side]]) -> Divided:
    most_first = sorted(some, key=lambda name: (-len(some[name]), str(name)))
    sides = {side for name in some for side in some[name]}
    return Divided(number, {name: len(some[name]) for name in most_first}, tuple(sorted(sides)))


def listed(settings: Settings) -> list[dict[str, Any]]:
    """Return the Patient IDs that are used on several sides under several issuers.

    Returns
    -------
    list of dict
        ``patient_id``, ``issuers`` ("" where headers name none), ``sides``, ``images``, ``settle`` (the command lines
        that say that they are one person: from then on nothing of that person is used).
    """
    with open_database(settings) as database:
        found = database.read(lambda tx: divided(tx, settings.retrain.issuer))
    return [
        {
            "patient_id": one.patient_id,
            "issuers": [name.issuer for name in one.images],
            "sides": [side.value for side in one.sides],
            "images": sum(one.images.values()),
            "settle": [_merge(name, next(iter(one.images))) for name in list(one.images)[1:]],
        }
        for one in found
    ]


def said(settings: Settings) -> str:
    """Return a sentence where some are, "" where none is."""
    with open_database(settings) as database:
        return _said(len(database.read(lambda tx: divided(tx, settings.retrain.issuer))))


def lines(settings: Settings, database: Database) -> Iterator[CheckLine]:
    """Yield what `check` says of them."""
    text = _said(len(database.read(lambda tx: divided(tx, settings.retrain.issuer))))
    if text:
        yield CheckLine("learning", "note", text)


def _said(count: int) -> str:
    if not count:
        return ""
    return (
        f"{count} Patient IDs are used on several sides under several issuers, or with and without one: `pacs-node "
        "learning issuers` lists them; [retrain] issuer says whose headers are that name none"
    )


def _merge(patient: PatientName, into: PatientName) -> str:
    words = ["pacs-node", "patients", "merge", patient.patient_id, into.patient_id]
    issuers = ["--issuer", patient.issuer, "--into-issuer", into.issuer]
    return join([*words, *issuers])
