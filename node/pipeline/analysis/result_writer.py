"""All that is written of one result: the report in every form that the peers may need, and what goes beside it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from node.config import PeerSettings
from node.domain.instance import InstanceHeader
from node.domain.report import ModelIdentity, ReportContent, ReportIdentity, report_identity
from node.pipeline.analysis.before import Before
from node.pipeline.analysis.beside import Beside, NotMade, WriteExtra, made
from node.pipeline.analysis.material import Material
from node.pipeline.analysis.outlived import WHY, WriteNotes
from node.pipeline.analysis.renditions import Shape, Write, orders, renditions, shapes
from node.pipeline.steps import AnalysisReached, analysis_unobserved
from node.store.disk.files import InstanceFiles
from node.store.working.analyses import NewAnalysis, NewRendition


@dataclass(frozen=True, slots=True)
class Result:
    """One result, before it is written."""

    analysis: NewAnalysis
    model: ModelIdentity
    material: Material
    before: Before
    because: tuple[str, ...]  #: what makes it a new one, in words

    @property
    def content(self) -> ReportContent:
        """What its report says."""
        material = self.material
        return ReportContent(
            self.analysis.study_instance_uid,
            self.model,
            self.analysis.outcome,
            material.readings,
            self.analysis.created_at.astimezone(),  # in the site's zone: the study's own times are local
            synthetic=material.synthetic,
            findings=self.analysis.findings,
            patient=material.patient,
            unread=len(material.unread),
        )

    def identity(self, sop_class_uid: str, shape: Shape) -> ReportIdentity:
        """Return the UIDs of one form of its report."""
        return report_identity(
            self.analysis.study_instance_uid,
            self.model,
            self.material.inputs,
            sop_class_uid,
            patient_key=self.analysis.patient_key,
            predecessor=self.material.previous,
            profile=shape.profile.name,
            language=shape.language,
        )


@dataclass(frozen=True, slots=True)
class Written:
    """What was written of a result."""

    made: tuple[NewRendition, ...]  #: a form of the report comes first
    not_made: tuple[NotMade, ...]
    notes: Mapping[int, NewRendition]  #: by delivery, to take back heat maps of earlier results


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes results.

    Parameters
    ----------
    files
        Where the images are.
    write, write_extra
        `node.pipeline.analysis.renditions.write_renditions` and `node.pipeline.analysis.beside.write_extra`, run where
        they hold up nobody: a report of thousands of images takes seconds, and an image's pixels may end a process.
    write_notes
        Writes the notes that take back heat maps of earlier results.
    reached
        Called at each step of a study; for tests that end the process there.
    """

    files: InstanceFiles
    write: Write
    write_extra: WriteExtra
    write_notes: WriteNotes
    reached: AnalysisReached = analysis_unobserved

    def written(self, result: Result, peers: Sequence[PeerSettings], getting: Iterable[PeerSettings]) -> Written:
        """Return the report in every form that `peers` may need, and what goes beside it to those `getting` it now.

        Raises
        ------
        Permanent
            No valid report can be made.
        """
        ordered = orders(result.content, shapes(peers), result.identity, result.before.reports)
        reports = list(renditions(ordered, self.write(ordered, self._sources(result.material))))
        beside = Beside(self.files, result.content, result.before.texts, result.material)
        extras = list(made(beside.extras(list(getting)), self.write_extra))
        found = [one for one in extras if isinstance(one, NewRendition)]
        notes = self.write_notes(result.before.heat_maps, WHY)
        return Written((*reports, *found), tuple(one for one in extras if isinstance(one, NotMade)), notes)

    def _sources(self, material: Material) -> list[Path | InstanceHeader]:
        first, *others = material.sources
        # all that a report says of the others stands in their rows: a series of thousands is not opened again
        file = first.header if first.removed_at else self.files.path(first.newest_path)
        return [file, *(source.header for source in others)]
