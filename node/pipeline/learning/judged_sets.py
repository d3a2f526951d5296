"""Which locked sets a model is judged by: every newest version whose labels mean the champion's classes."""

from node.config import Settings
from node.pipeline.learning.frozen import SPLIT
from node.pipeline.learning.locked import LockedFolder, folders, site_set
from node.pipeline.learning.places import Places
from node.pipeline.learning.verdict_in_child import SetFolder
from node.pipeline.registry.catalogue import opened
from node.store.database import Database


def judged_sets(database: Database, settings: Settings, model: str, bundle: str) -> list[tuple[int, SetFolder]]:
    """Return the sets, each with the number of its row; this site's own set is the target.

    Parameters
    ----------
    database, settings
        The node's.
    model
        Whose champion it is.
    bundle
        The champion's, as the registry names it.
    """
    names, target = opened(bundle).label_names, site_set(model)
    found = database.read(lambda tx: folders(tx, Places(settings.node.data_dir), names))
    return [(one.row.id, _folder(one, target=one.row.name == target)) for one in found]


def site_folder(database: Database, settings: Settings, model: str, bundle: str) -> SetFolder | None:
    """Return the set of this site's own images, or None where there is none yet."""
    sets = judged_sets(database, settings, model, bundle)
    return next((one for _, one in sets if one.target), None)


def _folder(one: LockedFolder, *, target: bool) -> SetFolder:
    row = one.row
    return SetFolder(row.name, str(row.version), row.digest, one.path, SPLIT, target, row.uses)
