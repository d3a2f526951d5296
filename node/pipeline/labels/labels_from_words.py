"""Words turned into labels, and labels into entries of timelines; for objects that are read and for operators alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from node.domain.label import Label, SourceKind
from node.domain.label_document import NamedImage
from node.pipeline.labels.report_findings import Word
from node.store import audit
from node.store.audit import Entry
from node.store.database import Transaction


@dataclass(frozen=True, slots=True)
class Source:
    """Who says it, when, and where that stands."""

    uid: str
    kind: SourceKind
    reader: str
    made_at: datetime  #: aware


def labels_of(word: Word, source: Source) -> list[Label]:
    """Return the labels that a word is, one for each image that it names and each study.

    Whether a result was visible is not known yet.
    """
    studies = [NamedImage(uid, "", "") for uid in word.studies]
    return [_label(word, place, source) for place in (*word.images, *studies)]


def _label(word: Word, place: NamedImage, source: Source) -> Label:
    return Label(
        study_instance_uid=place.study_instance_uid,
        series_instance_uid=place.series_instance_uid,
        sop_instance_uid=place.sop_instance_uid,
        class_name=word.class_name,
        present=word.present,
        reader=source.reader,
        made_at=source.made_at,
        source_uid=source.uid,
        source_kind=source.kind,
        rule=word.rule,
        result_visible=None,
    )


def note(tx: Transaction, now: datetime, added: Sequence[Label], who: str = "") -> None:
    """Add labels to the timelines of their studies; what readers wrote stands in no timeline.

    Parameters
    ----------
    tx
        The transaction that records them.
    now
        Aware.
    added
        Those that are new.
    who
        Whoever imported or settled them; "" of an object that was read.
    """
    by = {"by": who} if who else {}
    entries = [
        Entry(now, "label recorded", label.study_instance_uid, label.sop_instance_uid, _told(label) | by)
        for label in added
    ]
    audit.add_all(tx, entries)


def _told(label: Label) -> dict[str, object]:
    return {
        "class": label.class_name,
        "present": label.present,
        "reader": label.reader,
        "rule": label.rule,
        "source": label.source_uid,
        "result_visible": label.result_visible,
    }
