"""Labelled images into the training set: pixels kept, patients on their sides, duplicates in one group.

What is kept stays when the study's files go for their age. It knows current labels (`node.domain.label`) and no model:
an image is kept once, whatever it is labelled with.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from node.domain.errors import OperatorError, Permanent
from node.domain.label import CurrentLabel
from node.domain.split import Side, side_of
from node.pipeline.learning import forgotten
from node.pipeline.learning.example_pixels import KeptPixels
from node.pipeline.learning.forget import forget_again
from node.pipeline.learning.grouping import Link, Standing, linked
from node.pipeline.learning.merged import settle_merges
from node.pipeline.learning.naming import Naming, names_of, naming
from node.pipeline.learning.places import Places
from node.pipeline.learning.salt import minted
from node.pipeline.progress import Reporter
from node.store.arriving.merges import PatientName
from node.store.database import Database, Transaction
from node.store.learning import locked_sets, splits, training_set
from node.store.learning.training_set import LabelledFile, NewExample

Keep = Callable[[Path, Path], KeptPixels]
"""`node.pipeline.learning.example_pixels.keep_pixels`, run in a child process."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What a look at all current labels brought."""

    added: int = 0  #: images that are kept from now on
    left_out: int = 0  #: newcomers of which none are kept, or that are not used
    gone: int = 0  #: labelled images whose files were removed for their age before they were kept


class Collector:
    """Keeps the pixels of what is labelled.

    Parameters
    ----------
    database
        Where rows are kept.
    data_dir
        The node's data folder.
    keep
        Keeps one image's pixels.
    clock
        The time now, aware.
    issuer
        Of headers that name none (`[retrain] issuer`).
    """

    def __init__(
        self, database: Database, data_dir: Path, keep: Keep, clock: Callable[[], datetime], issuer: str = ""
    ) -> None:
        self._database, self._data_dir, self._keep, self._clock = database, data_dir, keep, clock
        self._issuer = issuer
        self._places = Places(data_dir)

    def collect(self, labels: Sequence[CurrentLabel], tell: Reporter) -> Collected:
        """Keep what is labelled and not kept yet; regard merges of patients that came since.

        Raises
        ------
        Permanent
            Where the list of who is forgotten cannot be read: nothing is learned without it.
        Transient
            Where a file cannot be read or written, or the child process died: the next time goes on.
        """
        salt = minted(self._database, self._clock())
        self._forget_again()
        settle_merges(self._database, self._places, salt, self._issuer, self._clock())
        whose = self._database.read(lambda tx: naming(tx, salt, self._issuer))
        held = {one.sop_instance_uid for one in self._database.read(training_set.all)}
        new = {one.sop_instance_uid: one for one in _oldest_first(labels) if one.sop_instance_uid not in held}
        files = self._database.read(lambda tx: training_set.files(tx, new))
        here = [one for uid, one in new.items() if uid in files and files[uid].path]
        standing = self._database.read(standing_images)
        added = 0
        for number, label in enumerate(here):
            tell("keeping pixels", number, len(here))
            added += self._add(label, files[label.sop_instance_uid], whose, standing)
        tell("keeping pixels", len(here), len(here))
        return Collected(added, len(here) - added, len(new) - len(here))

    def _forget_again(self) -> None:
        """Look at who is forgotten by the data folder's list: a restore may have been cut off before it did."""
        try:
            told = forgotten.pseudonyms_in(self._data_dir / forgotten.FILE)
        except OperatorError as error:
            raise Permanent(str(error)) from error
        forget_again(self._database, self._data_dir, told, self._clock())

    def _add(self, label: CurrentLabel, file: LabelledFile, whose: Naming, standing: list[Standing]) -> bool:
        """Keep one image, and return whether it is used."""
        patient = whose.pseudonym(PatientName(label.patient_id, label.issuer_of_patient_id))
        name = splits.image_of(whose.salt, label.sop_instance_uid)
        if self._database.read(lambda tx: _is_left_out(tx, whose, label, name)):
            return False  # such as one who is to be forgotten: not even a row is kept
        known = self._database.read(lambda tx: splits.get(tx, patient))
        side = side_of(whose.salt, patient) if known is None else known.side
        place = self._places.pixels(side, name)
        kept = self._keep(self._data_dir / file.path, place)
        bound = Link((), kept.left_out) if kept.left_out else linked(kept.image_hash, side, standing)
        if bound.left_out:
            place.unlink(missing_ok=True)
            kept = KeptPixels("", "", bound.left_out)
        example = NewExample(label.sop_instance_uid, name, patient, kept.image_hash, kept.digest, bound.left_out)
        group = self._database.write(
            lambda tx: None if _is_left_out(tx, whose, label, name) else self._recorded(tx, example, side, bound.groups)
        )
        if group is None:  # forgotten while its pixels were written
            place.unlink(missing_ok=True)
            return False
        if bound.left_out:
            return False
        standing.append(Standing(kept.image_hash, side, group, f"{side.value} images"))
        return True

    def _recorded(self, tx: Transaction, example: NewExample, side: Side, groups: Sequence[str]) -> str:
        """Keep the row, and return the group that it is of by now."""
        now = self._clock()
        first = groups[0] if groups else example.patient
        placed = splits.assign(tx, example.patient, side, first, now)
        splits.join(tx, {*groups, placed.group}, first if groups else placed.group)
        training_set.add(tx, example, now)
        return first if groups else placed.group


def standing_images(tx: Transaction) -> list[Standing]:
    """Return all images that a newcomer is compared with: those that are kept, and those of locked data folders."""
    kept = [
        Standing(one.image_hash, one.side, one.group, f"{one.side.value} images")
        for one in training_set.all(tx)
        if not one.left_out
    ]
    folders = {one.id: one.name for one in locked_sets.newest(tx) if one.origin == "data"}
    members = locked_sets.members(tx, folders)
    return kept + [
        Standing(one.image_hash, Side.LOCKED, one.patient, f"locked set {folders[number]}")
        for number, some in members.items()
        for one in some
    ]


def _is_left_out(tx: Transaction, whose: Naming, label: CurrentLabel, name: str) -> bool:
    """Return whether nothing is used of an image, or of anybody as whom its patient counts."""
    names = names_of(tx, PatientName(label.patient_id, label.issuer_of_patient_id), whose)
    pseudonyms = {whose.plain(one) for one in names} | {name}
    return any(placed is not None and placed.left_out for placed in (splits.get(tx, one) for one in pseudonyms))


def _oldest_first(labels: Iterable[CurrentLabel]) -> list[CurrentLabel]:
    return sorted(labels, key=lambda one: (one.recorded_at, one.sop_instance_uid))
