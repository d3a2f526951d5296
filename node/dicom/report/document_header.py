"""All of a report's dataset but its content tree: whose it is, what made it, and what it was made from.

References
----------
DICOM PS3.3 A.35.13 (Comprehensive 3D SR IOD), C.17.1 to C.17.3, C.12.1
"""

from itertools import groupby

from pydicom import Dataset

from node.dicom.encoding.values import LONG_STRING, cut
from node.dicom.result.object_header import (
    add_equipment,
    add_instance,
    add_patient_and_study,
    contributing_equipment,
    number_at,
)
from node.dicom.sources.source import Source
from node.domain.report import ReportContent, ReportIdentity
from node.domain.words import words_in


def report_header(content: ReportContent, identity: ReportIdentity, sources: list[Source]) -> Dataset:
    """Return the dataset of a report without its content tree and its character set.

    Raises
    ------
    Permanent
        The sources' Patient ID is one that no valid object can hold.
    """
    first = sources[0]
    dataset = Dataset()
    add_patient_and_study(dataset, first)
    for request in dataset.get("ReferencedRequestSequence", ()):
        request.setdefault("StudyInstanceUID", first.header.study_instance_uid)
    _add_series(dataset, content, identity)
    _add_document(dataset, content, identity, first)
    dataset.CurrentRequestedProcedureEvidenceSequence = [_evidence(sources)]
    dataset.ContributingEquipmentSequence = [contributing_equipment(content, dataset)]
    # the same images read again by the same version give the same identity, and no document precedes itself
    others = [one for one in content.predecessors if one.sop_instance_uid != identity.sop_instance_uid]
    if others:
        dataset.PredecessorDocumentsSequence = [_predecessors(content, others)]
    return dataset


def _add_series(dataset: Dataset, content: ReportContent, identity: ReportIdentity) -> None:
    """Add series and equipment; all reports of one model on one study stand in one series, whatever the version."""
    model, profile = content.model, content.profile
    dataset.Modality = "SR"
    dataset.SeriesInstanceUID = identity.series_instance_uid
    dataset.SeriesNumber = profile.series_number
    dataset.SeriesDescription = cut(profile.description(model.name, words_in(content.language)), LONG_STRING)
    dataset.ReferencedPerformedProcedureStepSequence = []
    add_equipment(dataset, model)


def _add_document(dataset: Dataset, content: ReportContent, identity: ReportIdentity, source: Source) -> None:
    add_instance(dataset, content, identity, source)
    dataset.InstanceNumber = number_at(content.created_at)
    dataset.CompletionFlag = "PARTIAL" if content.unread else "COMPLETE"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.PerformedProcedureCodeSequence = []


def _evidence(sources: list[Source]) -> Dataset:
    """Return the sources by series, in their order (PS3.3 C.17.2.1)."""
    study = Dataset()
    study.StudyInstanceUID = sources[0].header.study_instance_uid
    by_series = sorted(sources, key=lambda source: source.header.series_instance_uid)
    study.ReferencedSeriesSequence = [
        _series_item(
            series_instance_uid, [_reference(it.header.sop_class_uid, it.header.sop_instance_uid) for it in of]
        )
        for series_instance_uid, of in groupby(by_series, key=lambda source: source.header.series_instance_uid)
    ]
    return study


def _series_item(series_instance_uid: str, references: list[Dataset]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = series_instance_uid
    series.ReferencedSOPSequence = references
    return series


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = sop_class_uid
    reference.ReferencedSOPInstanceUID = sop_instance_uid
    return reference


def _predecessors(content: ReportContent, predecessors: list[ReportIdentity]) -> Dataset:
    study = Dataset()
    study.StudyInstanceUID = content.study_instance_uid
    study.ReferencedSeriesSequence = [
        _series_item(series, [_reference(one.sop_class_uid, one.sop_instance_uid) for one in of_series])
        for series, of_series in groupby(predecessors, key=lambda one: one.series_instance_uid)
    ]
    return study
