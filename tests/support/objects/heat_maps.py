"""Heat maps of studies, and what stands in them."""

import base64
import io
from dataclasses import replace

import numpy as np
from pydicom import Dataset
from pydicom.filereader import read_dataset

from node.dicom.companions.heat_map_object import build_heat_map
from node.domain.chosen_heat_maps import HeatMap, heat_map_identity, heat_maps
from node.domain.finding import HeatGrid
from node.domain.report import ReportContent, ReportIdentity
from tests.support.objects.studies import MODEL, Study


def hot_at(row: int, column: int, cells: int = 8) -> HeatGrid:
    """Return a grid of which one place is all that speaks for it."""
    grid = np.zeros((cells, cells), np.uint8)
    grid[row, column] = 255
    return HeatGrid(cells, cells, base64.b64encode(grid.tobytes()).decode())


def with_heat(study: Study, heat: HeatGrid, frame: int | None = None) -> tuple[ReportContent, HeatMap, ReportIdentity]:
    """Return what the heat map of a study's one finding is made from."""
    reading = study.content.readings[0]
    findings = tuple(replace(finding, heat=heat) for finding in reading.findings)
    (drawn,) = heat_maps([replace(reading, findings=findings)])
    drawn = replace(drawn, image=replace(drawn.image, frame=frame))
    uid = study.content.study_instance_uid
    return study.content, drawn, heat_map_identity(uid, MODEL, (reading.sop_instance_uid,), drawn)


def built(study: Study, heat: HeatGrid, frame: int | None = None) -> bytes:
    """Return the encoded heat map."""
    return build_heat_map(*with_heat(study, heat, frame), study.sources[0])


def parsed(encoded: bytes) -> Dataset:
    """Return an encoded heat map as a dataset, its texts decoded."""
    dataset = read_dataset(io.BytesIO(encoded), is_implicit_VR=True, is_little_endian=True)
    dataset.walk(lambda *_: None)
    return dataset
