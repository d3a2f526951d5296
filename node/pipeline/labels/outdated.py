"""Labels that objects were given by older rules, or another configuration, and would not be given today.

A rule that has become stricter changes no label that stands: whoever reads an object again decides that.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from node.dicom.documents.label_object import read_label_object
from node.domain.errors import Permanent
from node.domain.label import Label
from node.pipeline.labels.label_policy import LabelPolicy
from node.pipeline.labels.label_reader import known_of
from node.pipeline.labels.labels_from_words import Source, labels_of
from node.pipeline.labels.rules import understood
from node.store.database import Database, Transaction
from node.store.labelling import label_inbox, labels
from node.store.labelling.label_inbox import LabelledObject


@dataclass(frozen=True, slots=True)
class Outdated:
    """What the objects say today that gave labels."""

    uids: tuple[str, ...]  #: of those that would not give all of their labels any more
    unread: int  #: whose files are gone or cannot be read: what they say today nobody knows


def outdated(database: Database, data_dir: Path, policy: LabelPolicy) -> Outdated:
    """Look at every object whose labels no operator has settled."""
    uids, unread = list[str](), 0
    for one in database.read(label_inbox.labelled):
        try:
            if database.read(lambda tx, one=one: _says_less(tx, one, data_dir, policy)):  # type: ignore[misc]
                uids.append(one.sop_instance_uid)
        except (Permanent, OSError):
            unread += 1
    return Outdated(tuple(uids), unread)


def _says_less(tx: Transaction, one: LabelledObject, data_dir: Path, policy: LabelPolicy) -> bool:
    document = read_label_object(data_dir / one.path)
    known = known_of(tx, policy, frozenset(), one.device_uids, document)
    said = understood(document, policy.vocabulary, policy.titles, known)
    before = labels.of_source(tx, one.sop_instance_uid)
    if not before:
        return False
    source = Source(one.sop_instance_uid, document.kind, "", before[0].made_at)
    now = [label for word in said.words for label in labels_of(word, source)]
    return not _said(before) <= _said(now)


def _said(some: Collection[Label]) -> set[tuple[str, bool, str]]:
    return {(one.class_name, one.present, one.sop_instance_uid or one.study_instance_uid) for one in some}
