"""The pictures of heat maps: kept once, as long as the files of their study, and drawn again where somebody asks."""

from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.filereader import read_dataset

from node.config import PeerSettings, Settings, StorageSettings
from node.domain.chosen_heat_maps import SECONDARY_CAPTURE
from node.pipeline.keeping.retain import Retention
from node.pipeline.operator import operate
from node.store.working import pictures
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import PACS, Line, hot
from tests.support.houses.rejecting import note
from tests.support.peers.pacs import Pacs, serving

_DAY_S = 86_400
_BOTH = ("report", "heatmap")


@pytest.fixture
def line(house: House, pacs: Pacs) -> Line:
    """Give a node that has delivered a report with a heat map."""
    line = Line(house, [_peer(pacs)], says=hot)
    house.receive(radiograph())
    line.report()
    line.deliver()
    return line


def _peer(pacs: Pacs, **changes: Any) -> PeerSettings:
    return PACS.model_copy(update={"port": pacs.port, "gets": _BOTH, "takes_rejection_notes": True, **changes})


def _grow_old(line: Line) -> None:
    line.house.clock.forward(40 * _DAY_S)
    retaining = Retention(line.house.database, line.house.files, StorageSettings(keep_days=30), line.house.clock)
    assert [retaining.remove(study) is not None for study in retaining.removable()] == [True]


def _recompose(line: Line) -> str:
    tables = {"node": {"ae_title": "NODE", "data_dir": line.house.folder}, "database": {"url": line.house.url}}
    settings = Settings.model_validate(tables).model_copy(update={"peers": tuple(line.peers)})
    said = operate.recompose(settings, "1.2.3", "ada", line.house.clock())
    line.compose()
    return said


def _heat_maps(pacs: Pacs) -> list[Dataset]:
    came = [read_dataset(BytesIO(pacs.held[uid]), is_implicit_VR=True, is_little_endian=True) for uid in pacs.came]
    return [one for one in came if one.SOPClassUID == SECONDARY_CAPTURE]


def _is_whole(heat_map: Dataset) -> bool:
    return len(heat_map.PixelData) == heat_map.Rows * heat_map.Columns * 3 + heat_map.Rows * heat_map.Columns % 2


@pytest.mark.database("any")
def test_languages_whose_legend_is_the_same_share_a_picture(house: House, pacs: Pacs) -> None:
    """Each heat map is an object of its own all the same, with a header in its language; the bytes are compressed."""
    with serving(Pacs()) as other:
        line = Line(house, [_peer(pacs), _peer(other, name="zh", language="zh")], says=hot)
        house.receive(radiograph())
        line.report()
        line.deliver()
        one, two = *_heat_maps(pacs), *_heat_maps(other)
    assert one.PixelData == two.PixelData
    assert _is_whole(one)
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert one.SeriesDescription != two.SeriesDescription
    documents, drawn = house.database.read(pictures.used_bytes)
    assert house.rows("SELECT count(*) FROM pictures") == [(1,)]
    assert 0 < drawn < len(one.PixelData) / 2
    assert documents < 200_000


def test_pictures_go_with_the_files_of_their_study_and_what_they_were_stays(line: Line) -> None:
    """A heat map can still be named and taken back."""
    _grow_old(line)
    assert line.house.database.read(pictures.used_bytes)[1] == 0
    (told,) = [entry for entry in line.study()["timeline"] if entry["event"] == "files removed"]
    assert told["detail"]["pictures"] == 1
    note(line.house, "113037", ["1.2.3.1.1"])
    assert [row["rejection_note"] for row in line.study()["untrue_reports"]] == ["waiting"] * 2


@pytest.mark.database("any")
def test_one_that_is_sent_again_without_its_picture_says_what_to_do(line: Line, pacs: Pacs) -> None:
    """Nothing that is no image leaves; the images sent again and a word of the operator bring a whole one."""
    _grow_old(line)
    line.house.receive(radiograph(patient_id="ID2", study_instance_uid="1.2.4", sop_instance_uid="1.2.4.1.1"))
    line.report()  # whose picture may have the number of the one that was removed
    line.house.execute("UPDATE deliveries SET state = 'waiting' WHERE kind = 'heatmap'")
    line.deliver()
    buried = line.deliveries()[1]
    assert (buried["state"], "--recompose" in buried["last_error"]) == ("buried", True)
    assert [(one.PatientID, one.StudyInstanceUID) for one in _heat_maps(pacs)] == [("ID1", "1.2.3"), ("ID2", "1.2.4")]
    line.house.receive(radiograph())
    _recompose(line)
    line.deliver()
    before, _, after = _heat_maps(pacs)
    assert _is_whole(after)
    assert before.SOPInstanceUID != after.SOPInstanceUID
    assert line.deliveries()[1]["state"] == "cancelled"


@pytest.mark.database("any")
def test_nothing_is_composed_anew_that_would_take_a_picture_back_for_none(line: Line) -> None:
    """Neither the node nor the archive would have one."""
    _grow_old(line)
    with pytest.raises(operate.OperatorError, match="the heat map of starter at pacs would be taken back"):
        _recompose(line)


@pytest.mark.database("any")
def test_one_that_nobody_would_get_says_so_and_one_turned_away_is_wanted_no_more(line: Line) -> None:
    """What was wanted anew is not news months later."""
    line.house.execute("""UPDATE models SET mode = 'active', rule = '{"min_images": 5}'""")
    assert _recompose(line).endswith("by starter, to pacs")
    assert line.house.rows("SELECT anew_for FROM analyses") == [("",)]
    line.peers = [_peer(Pacs(), name="none", gets=())]
    assert "nobody gets it as things stand" in _recompose(line)


@pytest.mark.database("any")
def test_a_study_without_a_result_cannot_be_composed_anew(house: House) -> None:
    """It is said which study, and where to look."""
    line = Line(house)
    with pytest.raises(operate.OperatorError, match=r"has a result of a study 1\.2\.3: `pacs-node"):
        _recompose(line)


@pytest.mark.database("any")
def test_nothing_is_composed_anew_that_would_say_less(line: Line) -> None:
    """A version that came since cannot read images whose files are gone: the report would say "not assessed"."""
    line.house.execute("UPDATE models SET version = 'newer'")
    _grow_old(line)
    with pytest.raises(operate.OperatorError, match="1 images were removed for their age before starter newer could"):
        _recompose(line)
    assert line.house.rows("SELECT anew_for FROM analyses") == [("",)]


def test_what_was_made_in_one_form_alone_is_made_anew_in_those_of_the_profile(house: House, pacs: Pacs) -> None:
    """As after an upgrade: until then a report had one form, which was settled when it was made."""
    line = Line(house, [_peer(pacs, gets=("report",))])
    house.receive(radiograph())
    line.report()
    house.execute("UPDATE deliveries SET pinned_at = created_at")
    pacs.accepts = frozenset({"1.2.840.10008.5.1.4.1.1.88.33"})
    line.deliver()
    (buried,) = line.deliveries()
    assert "`pacs-node studies 1.2.3 --recompose` makes it anew" in buried["last_error"]
    assert _recompose(line) == "study 1.2.3 is reported anew by starter, to pacs"
    line.deliver()
    assert [(row["state"], row["sop_class_uid"][-5:]) for row in line.deliveries()] == [
        ("cancelled", "88.34"),
        ("done", "88.33"),
    ]
    assert not hasattr(line.reports()[-1], "PredecessorDocumentsSequence")


@pytest.mark.database("any")
def test_one_composed_anew_goes_to_those_who_have_the_same_and_names_it(line: Line, pacs: Pacs) -> None:
    """Once: what comes afterwards and changes nothing is no news again."""
    before = pacs.came[0]
    _recompose(line)
    line.deliver()
    (item,) = line.reports()[-1].PredecessorDocumentsSequence
    named = item.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert named == before
    line.house.execute("UPDATE jobs SET state = 'waiting' WHERE kind = 'compose'")
    line.compose()
    assert len(line.study()["analyses"]) == 2
