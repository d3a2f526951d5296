"""Listings for the operator: what is held, what is under way, what came of it.

They name patients, because an operator must find a study; they are never logged. Times are ISO 8601 in UTC.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select

from node.domain.lifecycle import State
from node.store.database import Transaction
from node.store.listing import control_views, label_views, listings, study_lines
from node.store.listing.listings import Listed
from node.store.stopping import holds
from node.store.tables.image_tables import Instance, InstanceCopy, Study
from node.store.tables.operation_tables import AuditEntry
from node.store.tables.result_tables import Analysis, Delivery
from node.store.tables.work_tables import InstanceReading, Job

NOT_SETTLED = (State.WAITING, State.RUNNING, State.BURIED, State.HELD)
"""What `jobs` and `deliveries` list unless told otherwise."""


def studies(tx: Transaction, limit: int | None = 100, *, now: datetime) -> list[Listed]:
    """List studies, the one that began last first.

    Returns
    -------
    list of dict
        - ``study_instance_uid``, ``patient_id``, ``patient_name``, ``accession_number``, ``study_date``,
          ``study_description``: of the newest header stored
        - ``modalities``: list of the images' modalities
        - ``instances``: number of images; ``other_objects``: number of all else that is stored in the study
        - ``first_received_at``; ``last_received_at``: of an image, null where none came
        - ``closed_by``: the signal that completed it last (`node.domain.completion.Signal`), "" while it is open;
          ``closed_at``
        - ``origin``: "live" (somebody sent it) or "backfill" (this node fetched it)
        - ``state``: "buried" (a job was given up, and its result not discarded), "reading" (a job runs), "receiving"
          (the study is not yet complete), "waiting" (work is due), "rejected" (all its images are), "held" (a report
          waits for an operator's word), "reported", "turned away" (read, and no result for the number of its images),
          "discarded" (an operator wants no result) or "not read"
        - ``synthetic``: whether an image that is read was ever said to be made artificially; then reports go to test
          peers only
        - ``turned_away``: {model: reason}, of models that read nothing of the study, or whose rule asks for another
          number of images
        - ``outcomes``: {model: outcome of its newest analysis}
        - ``deliveries``: {peer: state} of the newest delivery to each peer; the worst where several models report
        - ``hold``: which hold keeps back what has not left of it, in words; null where none does
        - ``rejected``: number of images that a rejection note takes back
    """
    listed = select(Study.study_instance_uid).order_by(*study_lines.NEWEST_FIRST).limit(limit)
    return study_lines.summaries(tx, listed, now)


def study(tx: Transaction, uid: str, *, now: datetime) -> Listed | None:
    """Return everything about one study, or None where it is not held.

    Returns
    -------
    dict
        The keys of `studies`, and:

        - ``objects``: as `instances` lists them
        - ``copies``: later copies of a held UID: ``sop_instance_uid``, ``kind`` ("revision" or "quarantined"),
          ``reason``, ``transfer_syntax_uid``, ``path``, ``size_bytes``, ``calling_ae_title``, ``received_at``
        - ``jobs``, ``deliveries_made``: as `jobs` and `deliveries` list them, in every state
        - ``readings``: ``sop_instance_uid``, ``model``, ``version``, ``admission``, ``findings``, ``anomaly``,
          ``frames`` (of an image that was read frame by frame, each with number, admitted, findings and anomaly)
        - ``analyses``: ``id``, ``model``, ``version``, ``outcome``, ``conclusion``, ``created_at``,
          ``predecessor_id``, ``sop_instance_uids`` of the reports as they left, or as the first is to leave,
          ``findings`` of the study by class, with the fields of `node.domain.finding.StudyFinding`: score (null where
          no one figure stands for the study), threshold, key images
        - ``rejections``: as `node.store.listing.control_views.of_study` lists them
        - ``untrue_reports``: those that rest on rejected images and are at a peer, or may be, as
          `node.store.listing.control_views.delivered` lists them
        - ``outdated_heat_maps``: those of which a newer result has taken the place, as
          `node.store.listing.control_views.delivered` lists them
        - ``labels``: as `node.store.listing.label_views.labels` lists those that speak of it or came in it
        - ``timeline``: ``at``, ``event``, ``sop_instance_uid``, ``detail``, in the order of what happened
    """
    summaries = study_lines.summaries(tx, select(Study.study_instance_uid).where(Study.study_instance_uid == uid), now)
    if not summaries:
        return None
    everything = tuple(State)
    return {
        **summaries[0],
        "objects": instances(tx, study_uid=uid),
        "copies": _copies(tx, uid),
        "jobs": jobs(tx, everything, study_uid=uid),
        "readings": _readings(tx, uid),
        "analyses": _analyses(tx, uid),
        "deliveries_made": deliveries(tx, everything, study_uid=uid),
        "rejections": control_views.of_study(tx, uid),
        "untrue_reports": control_views.untrue(tx, uid),
        "outdated_heat_maps": control_views.outlived(tx, uid),
        "labels": label_views.labels(tx, study_uid=uid),
        "timeline": _timeline(tx, uid),
    }


def instances(tx: Transaction, limit: int | None = None, *, study_uid: str | None = None) -> list[Listed]:
    """List stored instances in the order in which they came.

    Returns
    -------
    list of dict
        ``sop_instance_uid``, ``study_instance_uid``, ``series_instance_uid``, ``sop_class_uid``,
        ``transfer_syntax_uid``, ``kind`` ("image", "own" or "other"), ``modality``, ``path`` (relative to the data
        folder), ``size_bytes``, ``calling_ae_title``, ``called_ae_title``, ``address``, ``received_at``,
        ``removed_at`` (when its file was removed for its age, null while it is there), ``turned_away``
        {model: reason}, ``synthetic`` (whether any copy of it said so), ``header_synthetic`` (whether the header that
        counts says so).
    """
    query = select(Instance).order_by(Instance.received_at, Instance.sop_instance_uid).limit(limit)
    if study_uid is not None:
        query = query.where(Instance.study_instance_uid == study_uid)
    return [listings.instance(row) for row in tx.scalars(query)]


def jobs(
    tx: Transaction,
    states: Collection[State] = NOT_SETTLED,
    limit: int | None = None,
    *,
    study_uid: str | None = None,
) -> list[Listed]:
    """List jobs in the order in which they are claimed.

    Returns
    -------
    list of dict
        ``id``, ``kind`` ("read" or "compose"), ``model``, ``study_instance_uid``, ``sop_instance_uid`` ("" for a
        compose), ``signal`` (of a compose: what makes, or made, its study complete when it is due), ``state``,
        ``priority`` (smaller first), ``due_at``, ``attempt`` (counts on for ever), ``failures``
        and the ``lapses`` of leases among them since it was last put to waiting, ``lease_until``, ``worker``,
        ``last_error``, ``settled_at``.
    """
    query = select(Job).where(Job.state.in_(states)).order_by(Job.priority, Job.due_at, Job.id).limit(limit)
    if study_uid is not None:
        query = query.where(Job.study_instance_uid == study_uid)
    return [listings.job(row) for row in tx.scalars(query)]


def deliveries(
    tx: Transaction,
    states: Collection[State] = NOT_SETTLED,
    limit: int | None = None,
    *,
    study_uid: str | None = None,
    newest_first: bool = False,
) -> list[Listed]:
    """List deliveries in the order in which they are claimed, or were made.

    Returns
    -------
    list of dict
        ``hold`` (which hold keeps it back, in words, or null), and
        ``id``, ``peer``, ``model``, ``version``, ``study_instance_uid``, ``analysis_id``, ``kind`` ("report",
        "text" or "heatmap" beside a report, or "rejection_note"), ``sop_instance_uid`` and ``sop_class_uid`` of the
        form that leaves or left, ``pinned_at`` (since when that is settled; null while it is only the preferred one),
        its ``profile`` and ``language``, ``created_at``, ``sent_at`` (when the peer answered that it has it),
        ``offered_at`` (when it may last have left for the peer, whatever came of it; null where it never did),
        ``waits_since``, ``released_at`` (when an operator let it go although it was held), ``held_for`` ("age",
        "study", "patient" or ""), ``waived`` (those that an operator let go of), ``last_status`` (the peer's last
        DIMSE status as a number, or null), ``last_comment`` (its Error Comment), ``commitment`` ("none", "asked",
        "committed" or "failed"), and ``state``, ``priority``, ``due_at``, ``attempt``, ``failures``, ``lapses``,
        ``lease_until``, ``worker``, ``last_error``, ``settled_at`` as of `jobs`.
    """
    # said the other way round, no index serves it, and the newest are found by their numbers without sorting the rest
    wanted = Delivery.state.not_in(set(State) - set(states)) if newest_first else Delivery.state.in_(states)
    query = listings.deliveries_with_reports().where(wanted)
    if study_uid is not None:
        query = query.where(Analysis.study_instance_uid == study_uid)
    order = (Delivery.id.desc(),) if newest_first else (Delivery.priority, Delivery.due_at, Delivery.id)
    ordered = query.order_by(*order).limit(limit)
    in_force = holds.in_force(tx)
    return [listings.delivery(row, analysis, form, in_force) for row, analysis, *form in tx.execute(ordered)]


def _copies(tx: Transaction, uid: str) -> list[Listed]:
    query = (
        select(InstanceCopy)
        .join(Instance, Instance.sop_instance_uid == InstanceCopy.sop_instance_uid)
        .where(Instance.study_instance_uid == uid)
        .order_by(InstanceCopy.id)
    )
    return [listings.instance_copy(row) for row in tx.scalars(query)]


def _readings(tx: Transaction, uid: str) -> list[Listed]:
    query = (
        select(InstanceReading)
        .where(InstanceReading.study_instance_uid == uid)
        .order_by(InstanceReading.model, InstanceReading.version, InstanceReading.sop_instance_uid)
    )
    return [listings.reading(row) for row in tx.scalars(query)]


def _analyses(tx: Transaction, uid: str) -> list[Listed]:
    query = select(Analysis).where(Analysis.study_instance_uid == uid).order_by(Analysis.id)
    return [listings.analysis(tx, row) for row in tx.scalars(query).all()]


def _timeline(tx: Transaction, uid: str) -> list[Listed]:
    query = select(AuditEntry).where(AuditEntry.study_instance_uid == uid).order_by(AuditEntry.at, AuditEntry.id)
    return [listings.audit_entry(row) for row in tx.scalars(query)]
