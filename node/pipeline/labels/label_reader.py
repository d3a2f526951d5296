"""Objects that may carry labels, read: what they say is recorded in the transaction that settles them.

It runs apart from receiving. Whatever an object holds, it is read, listed with the reason why it labels nothing, or
buried with the reason why it cannot be read; a kill in between has it read again, which changes nothing.
"""

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from node.dicom.documents.label_object import read_label_object
from node.domain.label import UNNAMED, Label, LabelRule, Verdict
from node.domain.label_document import LabelDocument
from node.domain.lifecycle import State
from node.pipeline.failure import described, is_permanent
from node.pipeline.labels.label_policy import LabelPolicy
from node.pipeline.labels.labels_from_words import Source, labels_of, note
from node.pipeline.labels.rules import Known, Understood, understood
from node.store import audit
from node.store.arriving.merges import PatientName
from node.store.database import Database, Transaction
from node.store.disk.files import InstanceFiles
from node.store.labelling import label_inbox, labels, own_reports
from node.store.labelling.label_inbox import ClaimedObject, ObjectRead
from node.store.labelling.label_places import Place, places_of
from node.telemetry import logger

_log = logger("pipeline.labels")


class LabelReader:
    """Handles objects that may carry labels.

    Parameters
    ----------
    database, files
        Where rows and bytes are kept.
    policy
        How the site reads labels.
    device_uids
        Device UIDs of this node's own models.
    clock
        The time now, aware.
    jitter
        Random source of the backoff.
    """

    def __init__(
        self,
        database: Database,
        files: InstanceFiles,
        policy: LabelPolicy,
        device_uids: frozenset[str],
        clock: Callable[[], datetime],
        jitter: random.Random,
    ) -> None:
        self._database, self._files, self._policy = database, files, policy
        self._device_uids, self._clock, self._jitter = device_uids, clock, jitter

    def handle(self, claimed: ClaimedObject) -> None:
        """Read an object, and record what it says.

        Raises
        ------
        Permanent
            It cannot be read.
        """
        document = read_label_object(self._files.path(claimed.path))
        own = (self._device_uids, claimed.device_uids)
        known = self._database.read(lambda tx: known_of(tx, self._policy, *own, document))
        said = understood(document, self._policy.vocabulary, self._policy.titles, known)
        self._database.write(lambda tx: self._record(tx, claimed, document, said))
        _log.info("label object read", sop_instance_uid=claimed.sop_instance_uid, verdict=said.verdict.value)

    def fail(self, claimed: ClaimedObject, error: Exception) -> None:
        """Settle an object whose `handle` raised; one that cannot be read stays in the listing with the reason."""
        reason, permanent = described(error), is_permanent(error)

        def work(tx: Transaction) -> None:
            now = self._clock()
            state = label_inbox.fail(tx, claimed, now, reason, permanent=permanent, jitter=self._jitter)
            if state is State.BURIED:
                audit.add(tx, now, "label object not read", *_of(claimed), reason=reason)

        self._database.write(work)

    def _record(self, tx: Transaction, claimed: ClaimedObject, document: LabelDocument, said: Understood) -> None:
        now = self._clock()
        reader = document.persons[0] if document.persons else f"{UNNAMED}{claimed.calling_ae_title}"
        made_at = self._made_at(document, claimed)
        shown = document.said if said.verdict is not Verdict.IGNORED else ""
        read = ObjectRead(said.verdict, said.reason, shown, reader, made_at, document.images)
        if not label_inbox.settle(tx, claimed, now, read):
            return
        source = Source(claimed.sop_instance_uid, document.kind, reader, made_at)
        found = _placed(tx, [label for word in said.words for label in labels_of(word, source)])
        time_is_known = document.made_at is not None
        seen = [_with_visibility(tx, label, time_is_known=time_is_known) for label in found]
        patient = PatientName(document.patient_id, document.issuer_of_patient_id)
        recorded = labels.record(tx, claimed.sop_instance_uid, seen, patient, now)
        labels.exclude(tx, claimed.sop_instance_uid, said.excluded, reader, now)
        note(tx, now, recorded.added)
        if said.verdict in (Verdict.UNMAPPED, Verdict.EXCLUDED):
            event = "label object not understood" if said.verdict is Verdict.UNMAPPED else "images called unfit"
            audit.add(tx, now, event, *_of(claimed), reason=said.reason, reader=reader)

    def _made_at(self, document: LabelDocument, claimed: ClaimedObject) -> datetime:
        """Return when it was made: never after it came, whatever the clock or the zone of its maker."""
        received_at = claimed.received_at
        return received_at if document.made_at is None else min(self._policy.aware(document.made_at), received_at)


def known_of(
    tx: Transaction,
    policy: LabelPolicy,
    own_devices: frozenset[str],
    device_uids: Collection[str],
    document: LabelDocument,
) -> Known:
    """Return what this node knows beside an object.

    Parameters
    ----------
    tx
        The transaction.
    policy
        How the site reads labels.
    own_devices
        Device UIDs of this node's models, beside those that its registry has known.
    device_uids
        Of the equipment that the object's header names.
    document
        As it stands.
    """
    named = {image.sop_instance_uid for image in document.images}
    studies = {image.study_instance_uid for image in document.images} | {document.study_instance_uid}
    tracked = {finding.tracking_uid for finding in document.findings} - {""}
    devices = own_devices | own_reports.devices(tx)
    is_own = not devices.isdisjoint(device_uids)
    echoes = own_reports.said_under(tx, studies, tracked)
    return Known(devices, own_reports.among(tx, named), echoes, is_own=is_own, ai_manufacturers=policy.ai_manufacturers)


def _placed(tx: Transaction, found: Sequence[Label]) -> list[Label]:
    """Return labels with the study and the series in which their images are here, whatever the object says of them."""
    named = [Place("", one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid) for one in found]
    places = places_of(tx, named)
    filled = [places.filled(place) for place in named]
    each = zip(found, filled, strict=True)
    return [replace(one, study_instance_uid=study, series_instance_uid=series) for one, (study, series) in each]


def _with_visibility(tx: Transaction, label: Label, *, time_is_known: bool) -> Label:
    """Return a label with whether a result had been delivered by then; who assesses a result has seen it."""
    if label.rule is LabelRule.ASSESSMENT:
        return replace(label, result_visible=True)
    return replace(label, result_visible=labels.result_visible(tx, label, time_is_known=time_is_known))


def _of(claimed: ClaimedObject) -> tuple[str, str]:
    return claimed.study_instance_uid, claimed.sop_instance_uid
