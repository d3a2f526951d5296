"""The data set of one training: what is kept and labelled by now, on its sides, in a folder without identities.

The folder holds what the training and the choosing side need and nothing else: no locked image is ever linked into it,
so that a training cannot read one. It is made anew for every training and goes with it.
"""

import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from node.domain.instance import InstanceHeader, age_of
from node.domain.label import CurrentLabel
from node.domain.split import Side
from node.pipeline.learning.frozen import SPLIT, put
from node.pipeline.learning.locked import Labelled
from node.pipeline.learning.places import Places
from node.store.database import Transaction
from node.store.learning import training_set
from node.store.learning.training_set import KeptExample, LabelledFile

SPLITS = {Side.TRAIN: "train", Side.VALIDATION: "val", Side.LOCKED: SPLIT}
"""How `models.data` calls the sides."""

_AGES = ((1, "under 1"), (6, "1 to 5"), (18, "6 to 17"), (40, "18 to 39"), (65, "40 to 64"))
_SEXES = frozenset({"M", "F", "O"})  # DICOM PS3.3 C.7.1.1
_CODE = re.compile(r"[A-Z]{2,8}")  # modalities and view positions that the Standard defines (C.7.3.1.1.1, C.8.1.1)
_OLDEST, UNKNOWN = "65 and more", "unknown"


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that is kept, used and labelled with the classes of one model, the oldest label first."""

    images: Mapping[Side, Sequence[Labelled]]
    labels_until: datetime | None  #: when the newest label was recorded
    sop_uids: Mapping[str, str]  #: by name


@dataclass(frozen=True, slots=True)
class Built:
    """A data set on disk."""

    folder: Path
    digest: str  #: SHA-256 over all that is learned from and chosen on, hexadecimal
    patients: Mapping[str, int]  #: images by patient
    images: int


def label_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Return what each label stands for, by its index; of a single class, 0 is its absence."""
    return tuple(classes) if len(classes) > 1 else (f"no {classes[0]}", *classes)


def label_of(classes: Sequence[str], said: Mapping[str, bool]) -> int | None:
    """Return an image's label, or None where what is said of it does not decide.

    Parameters
    ----------
    classes
        Of the model; several exclude each other.
    said
        Whether each class is there, as far as somebody said.
    """
    if len(classes) == 1:
        present = said.get(classes[0])
        return None if present is None else int(present)
    there = [place for place, name in enumerate(classes) if said.get(name)]
    return there[0] if len(there) == 1 else None


def known(tx: Transaction, classes: Sequence[str], labels: Iterable[CurrentLabel]) -> Known:
    """Return what there is for a model with these classes."""
    from models.data.examples import Example  # noqa: PLC0415 - for learning alone

    of_images: dict[str, list[CurrentLabel]] = defaultdict(list)
    for label in labels:
        if label.class_name in classes:
            of_images[label.sop_instance_uid].append(label)
    kept = [one for one in training_set.all(tx) if not one.left_out and one.sop_instance_uid in of_images]
    files = training_set.files(tx, [one.sop_instance_uid for one in kept])
    images: dict[Side, list[tuple[datetime, Labelled]]] = defaultdict(list)
    for one in kept:
        own = of_images[one.sop_instance_uid]
        shown = label_of(classes, {each.class_name: each.present for each in own})
        if shown is not None:
            columns = _attributes(files[one.sop_instance_uid], own)
            example = Example(one.name, shown, one.group, SPLITS[one.side], one.digest, columns)
            at = max(each.recorded_at for each in own)
            images[one.side].append((at, Labelled(example, one.patient, one.image_hash)))
    times = [at for some in images.values() for at, _ in some]
    ordered = {side: [one for _, one in sorted(images[side], key=_when)] for side in Side}
    return Known(ordered, max(times, default=None), _uids(kept))


def build(places: Places, found: Known, folder: Path) -> Built:
    """Write the data set of a training; what an earlier run of it left gives way.

    Parameters
    ----------
    places
        Where pixels are kept.
    found
        What there is.
    folder
        Where the data set is to be.
    """
    from models.bundle.place import appearing_at_once  # noqa: PLC0415 - for learning alone
    from models.data.examples import PIXELS, digest_of_examples, write_examples  # noqa: PLC0415 - the same

    shutil.rmtree(folder, ignore_errors=True)
    chosen = [(side, one) for side in (Side.TRAIN, Side.VALIDATION) for one in found.images[side]]
    examples = [one.example for _, one in chosen]
    with appearing_at_once(folder) as new:
        (new / PIXELS).mkdir()
        for side, one in chosen:
            put(places.pixels(side, one.example.name), new / PIXELS / f"{one.example.name}.npz")
        write_examples(new, examples)
    patients = Counter(one.patient for _, one in chosen)
    return Built(folder, digest_of_examples(examples, ("train", "val")), patients, len(examples))


def _when(pair: tuple[datetime, Labelled]) -> tuple[datetime, str]:
    return pair[0], pair[1].example.name


def _uids(kept: Iterable[KeptExample]) -> dict[str, str]:
    return {one.name: one.sop_instance_uid for one in kept}


def _attributes(file: LabelledFile, labels: Sequence[CurrentLabel]) -> dict[str, str]:
    """Return the columns that subgroups are told by, coarse enough to say nothing of whom."""
    header, visible = file.header, {label.result_visible for label in labels}
    blind = "yes" if visible == {False} else "no" if True in visible else UNKNOWN
    return {
        "source": "site",
        "modality": _word(header.modality),
        "view": _word(header.view_position),
        "sex": _word(header.patient_sex, _SEXES),
        "age": _age(header),
        "sender": file.sender or UNKNOWN,
        "blind": blind,
    }


def _word(value: str, known: frozenset[str] | None = None) -> str:
    """Return a code string of a header; what is none may be anything, a name too."""
    is_code = _CODE.fullmatch(value) is not None if known is None else value in known
    return value if is_code else UNKNOWN


def _age(header: InstanceHeader) -> str:
    years = age_of(header)
    if years is None:
        return UNKNOWN
    return next((name for below, name in _AGES if years < below), _OLDEST)
