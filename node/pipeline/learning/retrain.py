"""A training from the site's labels, from its row to its verdict.

What is labelled is kept, the locked side frozen, the gate's protocol declared, and only then a child process trains; it
gets a folder in which no locked image lies. Everything can be done again: after a kill the same run goes on.
"""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from node.config import Settings
from node.domain.errors import NoSpace, OperatorError, Permanent, WorkStopped
from node.domain.split import Side
from node.pipeline.failure import described, is_permanent, of_file
from node.pipeline.learning import training_folder
from node.pipeline.learning.challenger_judged import Challenge, Judged, declare, judge_challenger
from node.pipeline.learning.collect import Collector
from node.pipeline.learning.example_pixels import KeptPixels, keep_pixels
from node.pipeline.learning.first_look import first_look
from node.pipeline.learning.locked import freeze_site
from node.pipeline.learning.places import Places
from node.pipeline.learning.training_folder import Built, Known
from node.pipeline.learning.training_in_child import Task, Trained, progress_of, train_task
from node.pipeline.learning.training_request import scarce
from node.pipeline.registry.catalogue import bundle_path, opened
from node.runtime.child import Child
from node.runtime.keeping import Keeper
from node.store.database import Database, Transaction
from node.store.labelling import labels
from node.store.learning import locked_sets, retrainings
from node.store.learning.retrainings import ClaimedRun, Problem
from node.store.registering import registry
from node.telemetry import logger

LEASE_S = 60.0
_UNTIL_ROOM = timedelta(minutes=10)  # a disk that is full is looked at again

MakeChild = Callable[[], Child]
"""Gives a new child process with the limits that a training has."""

_log = logger("pipeline.retrain")


@dataclass(frozen=True, slots=True)
class Site:
    """What trainings stand on."""

    settings: Settings
    database: Database
    clock: Callable[[], datetime]
    jitter: random.Random
    keeper: Keeper  #: extends the lease of the training in hand, and looks whether its end was asked for
    worker: str


class Retrainer:
    """Does trainings, one at a time, for the work loop.

    Parameters
    ----------
    site
        What it stands on.
    child
        Gives the child process of a training.
    """

    def __init__(self, site: Site, child: MakeChild) -> None:
        self._site, self._make_child = site, child
        self._places = Places(site.settings.node.data_dir)
        self._child: Child | None = None
        self._stopping = False

    def next_due(self) -> datetime | None:
        """Return when there may be a training to do."""
        return self._site.database.read(retrainings.next_due)

    def claim(self) -> ClaimedRun | None:
        """Take the next training."""
        now, worker = self._site.clock(), self._site.worker
        return self._site.database.write(lambda tx: retrainings.claim(tx, now, LEASE_S, worker))

    def handle(self, run: ClaimedRun) -> None:
        """Do a training and settle it."""
        self._child = self._make_child()
        try:
            if self._stopping:
                self._child.stop()
            with self._site.keeper.keeping(lambda: self._extend(run)):
                judged = self._judged(run, self._child)
        except WorkStopped as error:  # settled here: a loop that is told to end settles nothing any more
            self.fail(run, error)
            return
        except OSError as error:
            raise of_file(error, "what the training needs cannot be written") from error
        finally:
            self._child.stop()
        self._sweep(run)
        _log.info("training done", run=run.id, model=run.model, outcome=judged.outcome)

    def fail(self, run: ClaimedRun, error: Exception) -> None:
        """Settle a training whose work raised: cancelled, put back at the node's end, tried again, or given up."""
        now, jitter = self._site.clock(), self._site.jitter

        def settle(tx: Transaction) -> bool:
            if retrainings.is_cancelled(tx, run):
                retrainings.withdraw(tx, run, now)
                return True
            if isinstance(error, WorkStopped):
                retrainings.put_back(tx, run, now)
                return False
            if isinstance(error, NoSpace):
                retrainings.wait(tx, run, now + _UNTIL_ROOM, described(error))
                return False
            permanent = is_permanent(error)
            retrainings.fail(tx, run, now, described(error), permanent=permanent, jitter=jitter)
            return permanent

        if self._site.database.write(settle):
            self._sweep(run)

    def stop(self) -> None:
        """End the training in hand, as at a kill: it goes on at the next start."""
        self._stopping = True
        if self._child is not None:
            self._child.stop()

    def _sweep(self, run: ClaimedRun) -> None:
        """Remove what is half done: nothing goes on from it any more."""
        shutil.rmtree(self._places.run(run.id), ignore_errors=True)
        whole = self._places.bundle(run.model, run.id)
        for half in whole.parent.glob(f".{whole.name}-*"):
            shutil.rmtree(half, ignore_errors=True)

    def _extend(self, run: ClaimedRun) -> None:
        """Say that the training goes on and how far it is; end it where that was asked for, or it is another's."""
        progress, now = progress_of(self._places.run(run.id)), self._site.clock()
        goes_on = self._site.database.write(lambda tx: retrainings.extend(tx, run, now, LEASE_S, progress))
        if not goes_on and self._child is not None:
            self._child.stop()

    def _judged(self, run: ClaimedRun, child: Child) -> Judged:
        settings, database, clock = self._site.settings, self._site.database, self._site.clock
        row = database.read(lambda tx: registry.get(tx, run.model))
        if row is None:
            raise Permanent(f"no model {run.model!r} is registered any more")
        champion = bundle_path(row.bundle)
        try:
            classes = tuple(one.name for one in opened(row.bundle).classes)
        except OperatorError as error:
            raise Permanent(str(error)) from error
        known = self._known(run, classes, child)
        name = f"{run.model}-{run.id}"
        declare(database, settings, run.model, name, clock())
        built = self._built(run, known, row.version)
        first_look(database, settings, run.model, built, clock)
        trained: Trained = child.call(train_task, self._task(run, built, champion))
        self._note(run, known, classes, trained)
        bundle = self._places.bundle(run.model, run.id)
        challenge = Challenge(run.model, bundle, name, {"site": built.digest, **trained.digests}, built.images)
        approval = settings.retrain.approval
        return judge_challenger(
            database, settings, challenge, clock, approval=approval, beside=lambda *said: self._finish(run, *said)
        )

    def _finish(self, run: ClaimedRun, tx: Transaction, judged: Judged) -> None:
        """Settle the training with its verdict; judging takes long, and whose images it knew may have left meanwhile.

        Raises
        ------
        WorkStopped
            Where its end was asked for, or it is another worker's by now.
        Permanent
            Where it learned from a patient of whom nothing is used any more.
        """
        bundle = self._places.bundle(run.model, run.id)
        done = (self._site.clock(), str(bundle.relative_to(self._places.data_dir)), judged.version, judged.outcome)
        # the row first: an end that is asked for from now on waits for this transaction and finds the version
        if not retrainings.finish(tx, run, *done):
            raise WorkStopped("the training is another worker's by now")
        left = retrainings.left_out_in(tx, run)
        if left or retrainings.is_cancelled(tx, run):
            shutil.rmtree(bundle, ignore_errors=True)
        if retrainings.is_cancelled(tx, run):
            raise WorkStopped("the end of the training was asked for while it was judged")
        if left:
            raise Permanent(f"it learned from {left} patients of whom nothing is used any more: ask for another")

    def _known(self, run: ClaimedRun, classes: tuple[str, ...], child: Child) -> Known:
        """Keep what is labelled, freeze the locked side, and return what there is to learn from.

        Raises
        ------
        Permanent
            Where that is too little.
        """
        database, clock = self._site.database, self._site.clock
        current = database.read(labels.current)

        def keep(stored: Path, place: Path) -> KeptPixels:
            kept: KeptPixels = child.call(keep_pixels, stored, place)
            return kept

        issuer = self._site.settings.retrain.issuer
        Collector(database, self._places.data_dir, keep, clock, issuer).collect(current, lambda *_: None)
        known = database.read(lambda tx: training_folder.known(tx, classes, current))
        placed = [(one.patient, side, one.example.label) for side, some in known.images.items() for one in some]
        names = training_folder.label_names(classes)
        if reason := scarce(placed, names, replays=bool(self._site.settings.retrain.replay)):
            raise Permanent(f"no training: {reason}")
        freeze_site(database, self._places, run.model, names, known.images[Side.LOCKED], clock())
        return known

    def _built(self, run: ClaimedRun, known: Known, version: str) -> Built:
        """Return the data set of the run, which is on the disk and in the rows before anything learns from it."""
        built = training_folder.build(self._places, known, self._places.run(run.id) / "data")
        learns = (built.patients, built.digest, known.labels_until)
        self._site.database.write(lambda tx: retrainings.learns_from(tx, run, *learns))
        if run.start != "scratch":
            self._site.database.write(lambda tx: retrainings.inherits(tx, run, version))
        return built

    def _task(self, run: ClaimedRun, built: Built, champion: Path) -> Task:
        retrain, database = self._site.settings.retrain, self._site.database
        newest = [one.id for one in database.read(locked_sets.newest)]
        members = database.read(lambda tx: locked_sets.members(tx, newest))
        return Task(
            run=self._places.run(run.id),
            data=built.folder,
            out=self._places.bundle(run.model, run.id),
            recipe=run.recipe,
            champion=champion,
            start=run.start,
            replayed=retrain.replay,
            locked=tuple(sorted({one.image_hash for some in members.values() for one in some if one.image_hash})),
            seed=run.seed,
            version=f"{run.requested_at:%Y.%m.%d}-{run.id}",
            synthetic=retrain.synthetic,
            now=run.requested_at,
        )

    def _note(self, run: ClaimedRun, known: Known, classes: tuple[str, ...], trained: Trained) -> None:
        """Put probably wrong labels on the operator's list, and say what was done beside."""
        problems = [
            Problem(known.sop_uids[one.name], classes[one.label] if len(classes) > 1 else classes[0], present, share)
            for one in trained.problems
            for present, share in [(len(classes) > 1 or bool(one.label), one.likelihood)]
        ]
        now = self._site.clock()
        self._site.database.write(lambda tx: retrainings.found(tx, run, problems, now))
        for sentence in trained.said:
            _log.info("training", run=run.id, note=sentence)
