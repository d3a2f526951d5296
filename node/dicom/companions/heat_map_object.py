"""A heat map as an object of its own: plain values and the source image in, an encoded Secondary Capture out.

It is a picture to look at beside the image, in the same study and a series of its own. The report alone says what was
found. Nothing in it is drawn at random or read from a clock, so the same arguments always give the same bytes.

References
----------
DICOM PS3.3 A.8.1 (Secondary Capture Image IOD), C.7.6.1 (General Image: derivation, sources, burned in annotation),
C.8.6 (SC modules)
"""

import base64
import io
import itertools
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmwrite

from node.dicom.check.encoded_object import check_object
from node.dicom.check.report_content import elements, fitting_character_set
from node.dicom.companions.heat_picture import Legend, Picture, Shown, drawable, heat_picture
from node.dicom.encoding.values import LONG_STRING, cut
from node.dicom.instance.image_class import is_multi_frame
from node.dicom.pixels.modality_values import PixelsUnreadable, read_frames
from node.dicom.result import codes
from node.dicom.result.lines import anomaly_lines, finding_line
from node.dicom.result.object_header import (
    add_equipment,
    add_instance,
    add_patient_and_study,
    contributing_equipment,
    in_zone,
    number_at,
)
from node.dicom.sources.image_elements import aspect_of, image_elements, laterality_of, lossy_compression_of
from node.dicom.sources.source import Source, of_patient, read_source
from node.domain.chosen_heat_maps import MOST_HEAT_MAPS, HeatMap
from node.domain.errors import Permanent
from node.domain.finding import Finding, HeatGrid
from node.domain.identifiers import is_uid
from node.domain.report import ReportContent, ReportIdentity
from node.domain.words import ENGLISH, Words, words_in

_AFTER_THE_REPORTS = 3  # the series between hold rejection notes and texts
_TAKEN_OVER = ("BodyPartExamined", "PatientOrientation")


def build_heat_map(content: ReportContent, drawn: HeatMap, identity: ReportIdentity, source: Path) -> bytes:
    """Return a heat map as an encoded dataset, Implicit VR Little Endian, without preamble and meta information.

    Parameters
    ----------
    content
        The report beside which it goes: its model, its time, its language and whose images they are.
    drawn
        What is drawn, one of `node.domain.chosen_heat_maps.heat_maps` of the report's readings.
    identity
        The UIDs that it gets; the SOP class is Secondary Capture Image Storage.
    source
        Stored file of the image.

    Raises
    ------
    Permanent
        No heat map can be made of this: the reason says why, without patient data.
    OSError
        The file cannot be read.
    """
    image = read_source(source)
    if content.patient is not None:
        image = of_patient(image, content.patient)
    if image.header.sop_instance_uid != drawn.image.sop_instance_uid:
        raise Permanent("the heat map is of another image than the file")
    copied, made_at = image_elements(source, image.character_set), in_zone(content.created_at, image.timezone_offset)
    picture = heat_picture(
        _shown(source, drawn, copied), _grid(drawn.heat), drawn.said.region, _legend(content, drawn, made_at)
    )
    dataset = Dataset()
    add_patient_and_study(dataset, image)
    dataset.pop("ReferencedRequestSequence", None)  # of the reports' modules
    _add_series(dataset, content, identity, copied)
    _add_image(dataset, content, drawn, identity, image)
    dataset.update(lossy_compression_of(copied))
    _add_pixels(dataset, picture)
    character_set = fitting_character_set(dataset, image.character_set)
    if character_set:
        dataset.SpecificCharacterSet = character_set
    _check(dataset)
    encoded = _encoded(dataset)
    check_object(encoded)
    return encoded


def _shown(path: Path, drawn: HeatMap, copied: Dataset) -> Shown:
    number = drawn.image.frame or 1
    try:
        frames = read_frames(path, max_frames=1 << 16)
        frame = next(itertools.islice(frames, number - 1, None), None)
    except PixelsUnreadable as error:
        raise Permanent(f"the pixels cannot be decoded again: {error}") from error
    if frame is None:
        raise Permanent(f"the image has no frame {number}")
    return Shown(frame.values[0], frame.window, frame.inverted, aspect_of(copied))


def _grid(heat: HeatGrid) -> npt.NDArray[np.uint8]:
    cells = base64.b64decode(heat.cells)
    if not (0 < heat.rows <= 64 and 0 < heat.columns <= 64 and len(cells) == heat.rows * heat.columns):
        raise Permanent(f"the grid has {len(cells)} cells, not {heat.rows} rows of {heat.columns}")
    return np.frombuffer(cells, np.uint8).reshape(heat.rows, heat.columns)


def _legend(content: ReportContent, drawn: HeatMap, made_at: datetime) -> Legend:
    """Return the legend in the report's language, or, where its letters cannot be drawn, in English."""
    legend = _worded(content, drawn, made_at, words_in(content.language))
    said = (*legend.lines, legend.scale, legend.lowest, legend.highest)
    return legend if all(map(drawable, said)) else _worded(content, drawn, made_at, words_in(ENGLISH))


def _worded(content: ReportContent, drawn: HeatMap, made_at: datetime, words: Words) -> Legend:
    model, said = content.model, drawn.said
    of_class = isinstance(said, Finding)
    lines = [finding_line(words, model, said)] if isinstance(said, Finding) else anomaly_lines(words, said)
    derived = words.line("derived_by_ai", model=model.name, version=model.version)
    made = words.line("made_at", time=words.time(made_at))
    more = words.lines("heat_left_out", count=drawn.left_out) if drawn.left_out else []
    synthetic = words.lines("synthetic") if content.synthetic else []
    scale = words.line("heat_of_finding" if of_class else "heat_of_anomaly")
    return Legend(
        [*lines, *more, derived, made, *synthetic], scale, words.line("heat_lowest"), words.line("heat_highest")
    )


def _add_series(dataset: Dataset, content: ReportContent, identity: ReportIdentity, copied: Dataset) -> None:
    words = words_in(content.language)
    dataset.Modality = "OT"
    dataset.ConversionType = "WSD"
    dataset.SeriesInstanceUID = identity.series_instance_uid
    dataset.SeriesNumber = content.profile.series_number + _AFTER_THE_REPORTS
    dataset.SeriesDescription = cut(words.line("heat_series", model=content.model.name), LONG_STRING)
    dataset.PatientOrientation = ""
    for keyword in _TAKEN_OVER:
        if keyword in copied:
            dataset[keyword] = copied[keyword]
    dataset.update(laterality_of(copied))
    add_equipment(dataset, content.model)


def _add_image(
    dataset: Dataset, content: ReportContent, drawn: HeatMap, identity: ReportIdentity, source: Source
) -> None:
    words, said = words_in(content.language), drawn.said
    finding = words.named(said.finding) if isinstance(said, Finding) else words.line("abnormality")
    add_instance(dataset, content, identity, source)
    dataset.InstanceNumber = number_at(content.created_at, MOST_HEAT_MAPS) + drawn.number - 1
    dataset.ImageType = ["DERIVED", "SECONDARY", "OTHER", "HEATMAP"]
    dataset.DerivationDescription = words.line("heat_derivation", finding=finding)
    dataset.DerivationCodeSequence = [codes.ARTIFICIAL_INTELLIGENCE]
    dataset.ImageComments = words.line("derived_by_ai", model=content.model.name, version=content.model.version)
    dataset.SourceImageSequence = [_reference(source, drawn)]
    dataset.ContributingEquipmentSequence = [contributing_equipment(content, dataset)]
    dataset.BurnedInAnnotation = "YES"


def _reference(source: Source, drawn: HeatMap) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = source.header.sop_class_uid
    reference.ReferencedSOPInstanceUID = source.header.sop_instance_uid
    if drawn.image.frame is not None and is_multi_frame(source.header.sop_class_uid):
        reference.ReferencedFrameNumber = drawn.image.frame
    reference.PurposeOfReferenceCodeSequence = [codes.SOURCE_IMAGE]
    reference.SpatialLocationsPreserved = "NO"
    return reference


def _add_pixels(dataset: Dataset, picture: Picture) -> None:
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = picture.shape
    dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "RGB", 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.add_new("PixelData", "OW", picture.tobytes() + b"\0" * (picture.size % 2))


def _check(dataset: Dataset) -> None:
    """See that what must be found again can be: every UID is one."""
    for element in elements(dataset):
        if element.VR == "UI" and not is_uid(str(element.value)):
            raise Permanent(f"the heat map would have a {element.keyword} that is no UID")


def _encoded(dataset: Any) -> bytes:
    encoded = io.BytesIO()
    dcmwrite(encoded, dataset, implicit_vr=True, little_endian=True)
    return encoded.getvalue()
