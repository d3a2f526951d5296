"""The demo's samples: all that it needs comes with the checkout, and what it expects is what the starter says."""

from pathlib import Path

import pytest

from models.inference.reader import load
from node.demo.samples import Sample, samples
from node.dicom.instance.header import inspect
from node.dicom.instance.part10 import part10_of
from node.dicom.pixels.modality_values import read_pixels
from node.domain.instance import InstanceHeader
from node.domain.rule import Rule, turned_away
from tests.support.nodes.process import CHECKOUT

_ROOM = 0.9  #: of the admission limit, so that another machine's rounding does not turn a sample away


@pytest.fixture(scope="module")
def sent() -> list[Sample]:
    """Return the samples."""
    return samples()


def _header(sample: Sample) -> InstanceHeader:
    part10 = part10_of(sample.part10)
    return inspect(part10.dataset, part10.transfer_syntax_uid)


def test_the_chests_are_of_nobody_and_of_both_labels(sent: list[Sample]) -> None:
    """Painted by the generator that ships."""
    chests = [sample for sample in sent if sample.expected == ("positive", "negative")]
    assert all(_header(chest).synthetic for chest in chests)
    assert {_header(chest).series_description for chest in chests} == {"SYNTHETIC normal", "SYNTHETIC pneumonia"}


def test_every_sample_is_a_study_of_its_own_and_the_same_at_every_call(sent: list[Sample]) -> None:
    """So that each has its row in the table."""
    assert len({sample.study_instance_uid for sample in sent}) == len(sent) == 13
    assert [sample.part10 for sample in samples()] == [sample.part10 for sample in sent]


def test_the_starter_reads_what_the_demo_expects_it_to_read(sent: list[Sample], tmp_path: Path) -> None:
    """By its rule in the demo and its admission: chests with room to spare, what poses as one not at all."""
    starter, path = load(CHECKOUT / "models" / "starter"), tmp_path / "sample.dcm"
    rule = Rule(age_years=(1, 5))
    for sample in sent:
        assert (turned_away(rule, _header(sample), "SENDER") is None) is (sample.expected is not None), sample.title
        if sample.expected is None:
            continue
        path.write_bytes(sample.part10)
        read = read_pixels(path)
        said = starter.read(read.values[0], read.window, read.inverted)
        assert said.admission_score is not None
        assert said.admission_limit is not None
        if sample.expected == ("not_assessed",):
            assert said.admission_score > said.admission_limit, sample.title
        else:
            assert said.admission_score < _ROOM * said.admission_limit, sample.title
