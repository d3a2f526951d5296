"""A heat map as an object: whose it is, what it was made from, what it shows where, and that nobody reads it again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import MultiFrameGrayscaleByteSecondaryCaptureImageStorage

from node.dicom.companions.heat_map_object import build_heat_map
from node.dicom.instance.header import inspect
from node.domain.chosen_heat_maps import MOST_HEAT_MAPS, SECONDARY_CAPTURE, heat_map_identity, heat_maps
from node.domain.derived import result_of_ai
from node.domain.errors import Permanent
from node.domain.finding import Anomaly, HeatGrid
from tests.support.objects.heat_maps import built, hot_at, parsed, with_heat
from tests.support.objects.studies import IMPLICIT_VR_LITTLE_ENDIAN, MODEL, NAMES, Study, study_of

Change = Callable[[Dataset], None]


def picture_of(dataset: Dataset) -> np.ndarray:
    """Return the pixels, shape (rows, columns, 3)."""
    shape = (dataset.Rows, dataset.Columns, 3)
    return np.frombuffer(dataset.PixelData[: int(np.prod(shape))], np.uint8).reshape(shape)


def redness(picture: np.ndarray) -> np.ndarray:
    """Return how much redder than grey each place is: what is hot is red, and images and words are grey."""
    return picture[..., 0].astype(int) - picture[..., 2].astype(int)


def hottest(dataset: Dataset, rows: float, columns: float) -> tuple[float, float]:
    """Return the middle of what is hot, as shares of the rows and columns of the image in the picture.

    Below the image stands the legend, with the same colours.
    """
    picture = picture_of(dataset)
    height = round(picture.shape[1] * rows / columns)
    places = np.argwhere(redness(picture[:height]) > 60)
    row, column = places.mean(0) + 0.5
    return float(row) / height, float(column) / picture.shape[1]


@pytest.mark.parametrize("character_set", NAMES)
def test_it_belongs_to_the_study_of_its_source(tmp_path: Path, character_set: str) -> None:
    """Same patient and study, another series than the image's."""
    study = study_of(tmp_path, "positive", character_set)
    dataset, source = parsed(built(study, hot_at(2, 5))), dcmread(study.sources[0])

    assert str(dataset.PatientName) == NAMES[character_set] == str(source.PatientName)
    assert dataset.get("SpecificCharacterSet", "") == character_set
    for keyword in ("PatientID", "StudyInstanceUID", "AccessionNumber", "BodyPartExamined", "PatientOrientation"):
        assert dataset[keyword].value == source[keyword].value
    assert dataset.SeriesInstanceUID not in {source.SeriesInstanceUID, study.identity.series_instance_uid}
    assert dataset.SOPClassUID == SECONDARY_CAPTURE


def test_it_says_what_it_is_and_what_it_was_made_from(tmp_path: Path) -> None:
    """Derived, by which model of artificial intelligence, from which image."""
    study = study_of(tmp_path, "positive")
    dataset = parsed(built(study, hot_at(2, 5)))
    (reference,) = dataset.SourceImageSequence
    (equipment,) = dataset.ContributingEquipmentSequence

    assert list(dataset.ImageType)[:2] == ["DERIVED", "SECONDARY"]
    assert dataset.DerivationCodeSequence[0].CodeValue == "123110"
    assert "Pneumonia" in dataset.DerivationDescription
    assert dataset.ImageComments == "Derived by AI (starter 1.0.0), not for diagnosis."
    assert dataset.BurnedInAnnotation == "YES"
    assert reference.ReferencedSOPInstanceUID == study.content.readings[0].sop_instance_uid
    assert "ReferencedFrameNumber" not in reference
    assert (equipment.ManufacturerModelName, equipment.DeviceUID) == (MODEL.name, MODEL.device_uid)


def test_it_is_never_read_again(tmp_path: Path) -> None:
    """A PACS may send it back: by its derivation and by the device that made it, it is no image for a model."""
    header = inspect(built(study_of(tmp_path, "positive"), hot_at(2, 5)), IMPLICIT_VR_LITTLE_ENDIAN)

    assert header.has_pixels
    assert result_of_ai(header) is not None
    assert MODEL.device_uid in header.device_uids


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    """Nothing is drawn at random or read from a clock."""
    study = study_of(tmp_path, "positive")

    assert built(study, hot_at(2, 5)) == built(study, hot_at(2, 5))


def test_the_picture_says_when_it_was_made(tmp_path: Path) -> None:
    """Below the image, to the minute: two that hang side by side are told apart, whatever the viewer shows of them."""
    study = study_of(tmp_path, "positive")
    later = study.content.created_at + timedelta(minutes=1)
    one, two = (picture_of(parsed(built(of, hot_at(2, 5)))) for of in (study, study.saying(created_at=later)))
    rows = np.flatnonzero((one != two).any((1, 2)))

    assert one.shape == two.shape
    assert 0 < len(rows) < 30
    assert rows.min() > 512  # below the image, whose longer side that is


def test_the_picture_says_that_more_has_no_map(tmp_path: Path) -> None:
    """In a line of its own, where that is so."""
    study = study_of(tmp_path, "positive")
    content, drawn, identity = with_heat(study, hot_at(2, 5))
    plain, more = (
        build_heat_map(content, replace(drawn, left_out=count), identity, study.sources[0]) for count in (0, 2)
    )

    assert parsed(more).Rows > parsed(plain).Rows


def test_a_second_later_its_number_is_higher_than_those_of_all_before(tmp_path: Path) -> None:
    """Heat maps of one model on one study stand in one series, whichever report they go beside."""
    study = study_of(tmp_path, "positive")
    content, drawn, identity = with_heat(study, hot_at(2, 5))
    numbers = []
    for seconds in (0, 1, 59):
        made = replace(content, created_at=content.created_at + timedelta(seconds=seconds))
        for number in (1, MOST_HEAT_MAPS):
            encoded = build_heat_map(made, replace(drawn, number=number), identity, study.sources[0])
            numbers.append(int(parsed(encoded).InstanceNumber))

    assert sorted(set(numbers)) == numbers
    assert numbers[-1] < 2**31


def _rewrite(study: Study, change: Change) -> None:
    dataset = dcmread(study.sources[0])
    change(dataset)
    dataset.save_as(study.sources[0])


def _inverted(dataset: Dataset) -> None:
    dataset.PhotometricInterpretation, dataset.PresentationLUTShape = "MONOCHROME1", "INVERSE"


def _of_sixteen_bits(dataset: Dataset) -> None:
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    pixels = np.frombuffer(dataset.PixelData, np.uint8)[: dataset.Rows * dataset.Columns]
    dataset["PixelData"].VR, dataset.PixelData = "OW", (pixels.astype("<u2") * 16).tobytes()


def _coloured(dataset: Dataset) -> None:
    pixels = np.frombuffer(dataset.PixelData, np.uint8)[: dataset.Rows * dataset.Columns]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.PixelData = np.repeat(pixels[:, np.newaxis], 3, axis=1).tobytes()


def _oblong(dataset: Dataset) -> None:
    dataset.PixelAspectRatio = [3, 1]
    del dataset.ImagerPixelSpacing


KINDS: dict[str, tuple[Change, float]] = {
    "grey": (lambda _: None, 40),
    "MONOCHROME1": (_inverted, 40),
    "16 bits": (_of_sixteen_bits, 40),
    "colour": (_coloured, 40),
    "oblong pixels": (_oblong, 120),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("row", "column"), [(2, 5), (6, 1)])
def test_the_map_lies_where_it_points(tmp_path: Path, kind: str, row: int, column: int) -> None:
    """On a source of 40 rows and 30 columns, whatever kind it is; of oblong pixels in the proportions of the body."""
    study = study_of(tmp_path, "positive")
    change, height = KINDS[kind]
    _rewrite(study, change)
    found = hottest(_cropped(parsed(built(study, hot_at(row, column))), height / 30), height, 30)

    assert found == pytest.approx(((row + 0.5) / 8, (column + 0.5) / 8), abs=0.02)


def _cropped(dataset: Dataset, proportion: float) -> Dataset:
    """Return the dataset without the black that stands beside a slim image."""
    picture = picture_of(dataset)
    lit = np.flatnonzero(picture[: picture.shape[0] // 2].max((0, 2)))
    inside = np.ascontiguousarray(picture[:, lit.min() : lit.max() + 1])
    assert inside.shape[0] > proportion * inside.shape[1]
    dataset.Columns, dataset.PixelData = inside.shape[1], inside.tobytes()
    return dataset


def test_the_image_is_shown_in_its_window_and_polarity(tmp_path: Path) -> None:
    """What is bright to a viewer is bright here."""
    study = study_of(tmp_path, "positive")
    plain = picture_of(parsed(built(study, hot_at(0, 0))))
    _rewrite(study, _inverted)
    turned = picture_of(parsed(built(study, hot_at(0, 0))))
    half = slice(plain.shape[0] // 3, plain.shape[0] // 2)
    inside = slice(plain.shape[1] // 3, plain.shape[1] // 2)

    np.testing.assert_allclose(plain[half, inside].astype(int) + turned[half, inside], 255, atol=1)


def test_a_map_of_a_frame_is_drawn_over_that_frame(tmp_path: Path) -> None:
    """And names it."""
    study = study_of(tmp_path, "positive")

    def of_two_frames(dataset: Dataset) -> None:
        dark, bright = np.zeros(40 * 30, np.uint8), np.full(40 * 30, 250, np.uint8)
        dataset.SOPClassUID = MultiFrameGrayscaleByteSecondaryCaptureImageStorage
        dataset.NumberOfFrames, dataset.PixelData = 2, dark.tobytes() + bright.tobytes()

    _rewrite(study, of_two_frames)
    first, second = (parsed(built(study, hot_at(0, 0), frame)) for frame in (1, 2))
    assert [one.SourceImageSequence[0].ReferencedFrameNumber for one in (first, second)] == [1, 2]
    middle = [picture_of(one)[300, one.Columns // 2].mean() for one in (first, second)]
    assert middle[0] < 10
    assert middle[1] > 200
    with pytest.raises(Permanent, match="no frame 3"):
        built(study, hot_at(0, 0), 3)


def test_the_anomaly_score_has_a_map_too(tmp_path: Path) -> None:
    """Named as such."""
    study = study_of(tmp_path, "negative")
    unusual = Anomaly(4.0, 99.0, heat=hot_at(3, 3))
    (drawn,) = heat_maps([replace(study.content.readings[0], anomaly=unusual)])
    identity = heat_map_identity(study.content.study_instance_uid, MODEL, ("1",), drawn)
    dataset = parsed(build_heat_map(study.content, drawn, identity, study.sources[0]))

    assert "abnormality" in dataset.DerivationDescription


def test_in_chinese_the_header_is_chinese_and_the_picture_english(tmp_path: Path) -> None:
    """The font that ships has no Chinese letters, and a picture of boxes would say nothing."""
    study = study_of(tmp_path, "positive")
    english = parsed(built(study, hot_at(2, 5)))
    chinese = parsed(built(study.saying(language="zh"), hot_at(2, 5)))

    assert chinese.SpecificCharacterSet == "ISO_IR 192"
    assert "肺炎" in chinese.DerivationDescription
    assert chinese.PixelData == english.PixelData


@pytest.mark.parametrize("heat", [HeatGrid(8, 8, "AAAA"), HeatGrid(0, 0, ""), HeatGrid(65, 1, "")])
def test_a_grid_that_is_none_is_refused(tmp_path: Path, heat: HeatGrid) -> None:
    """Rather than drawn somewhere."""
    with pytest.raises(Permanent, match="cells"):
        built(study_of(tmp_path, "positive"), heat)


def test_pixels_that_cannot_be_decoded_are_refused(tmp_path: Path) -> None:
    """The report goes without it."""
    study = study_of(tmp_path, "positive")
    _rewrite(study, lambda dataset: setattr(dataset, "PixelData", b"\0\0"))

    with pytest.raises(Permanent, match="cannot be decoded"):
        built(study, hot_at(2, 5))
