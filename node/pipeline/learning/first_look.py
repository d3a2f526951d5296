"""The gate's first look at what is to be trained on: refused before a minute is spent, and counted apart.

Too few patients, one class, and pictures that stand on two sides are found where the data set is made
(`node.pipeline.learning.training_request`, `models.data`); here it is compared with what the champion learned from and
says.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from node.config import Settings
from node.domain.errors import Permanent
from node.pipeline.apart import in_child
from node.pipeline.learning.judged_sets import site_folder
from node.pipeline.learning.training_folder import Built
from node.pipeline.learning.verdict_in_child import SetFolder
from node.pipeline.registry.catalogue import bundle_path
from node.runtime.clock import Clock
from node.store import audit
from node.store.database import Database
from node.store.learning import model_versions
from node.store.learning.model_versions import Version
from node.telemetry import native_chatter_dropped

if TYPE_CHECKING:
    from models.data.labelled import LabelledImages
    from models.gate.fitness import Agreement, Unfit
    from models.inference.reader import Reader

DEADLINE_S = 3600.0
LEARNED = "learned"
"""Name of the figure that says from how many images of this site a version was trained."""


def first_look(database: Database, settings: Settings, model: str, built: Built, clock: Clock) -> None:
    """Refuse a data set that has lost much of the champion's, or whose labels contradict the champion.

    Parameters
    ----------
    database, settings
        The node's.
    model
        Whose champion it is compared with.
    built
        What is to be trained on.
    clock
        The time now, aware.

    Raises
    ------
    Permanent
        With the reason; no training begins.
    """
    from models.gate.fitness import shrunk  # noqa: PLC0415 - for learning alone

    champion = database.read(lambda tx: model_versions.serving(tx, model))
    if champion is None:
        return
    found = shrunk(built.images, int(champion.figures.get(LEARNED, 0))) or _contradicted(
        database, settings, champion, built
    )
    if found is not None:
        said = {"model": model, "rule": found.rule, "reason": found.text}
        database.write(lambda tx: audit.add(tx, clock(), "training refused", **said))
        raise Permanent(f"no training: {found.text}")


def _contradicted(database: Database, settings: Settings, champion: Version, built: Built) -> "Unfit | None":
    from models.gate.fitness import contradicted  # noqa: PLC0415 - as above

    locked = site_folder(database, settings, champion.model, champion.bundle)
    if locked is None:
        return None
    found = in_child(DEADLINE_S, agreements, bundle_path(champion.bundle), built.folder, locked)
    return None if found is None else contradicted(*found)


def agreements(champion: Path, data: Path, locked: SetFolder) -> "tuple[Agreement, Agreement] | None":
    """Return how often a champion calls what the labels say, of a data set and of a locked set; one class only.

    Raises
    ------
    Permanent
        Where one of them cannot be read.
    """
    from models.bundle.vouched import BundleError  # noqa: PLC0415 - only the child process imports the learned part
    from models.data.examples import KeptFolder  # noqa: PLC0415 - the same
    from models.data.labelled import DataError  # noqa: PLC0415 - the same
    from models.gate.fitness import Agreement  # noqa: PLC0415 - the same
    from models.inference.reader import load  # noqa: PLC0415 - the same

    try:
        with native_chatter_dropped():
            reader, new = load(champion), KeptFolder(data)
            if len(reader.manifest.classes) > 1:
                return None
            sides = [_agreement(reader, new.images(split)) for split in new.splits]
            fixed = _agreement(reader, KeptFolder(locked.folder).images(locked.split))
    except (BundleError, DataError) as error:
        raise Permanent(str(error)) from error
    return Agreement(sum(one.agreeing for one in sides), sum(one.patients for one in sides)), fixed


def _agreement(reader: "Reader", images: "LabelledImages") -> "Agreement":
    from models.gate.fitness import agreement  # noqa: PLC0415 - as above

    likely = reader.probabilities(images.views(reader.manifest.classifier.size))[:, 0]
    return agreement(images, likely >= reader.manifest.classes[0].threshold)
