"""What a recall means for the model that serves the recalled version: it reads on, and all of it stays here."""

from node.domain.errors import OperatorError
from node.store.database import Transaction
from node.store.stopping import recalls
from node.store.stopping.recalls import Recalled


def notes(tx: Transaction) -> list[str]:
    """Return a sentence for each recalled version that still serves: that nothing leaves, and what ends that."""
    return [note(recalled) for recalled in recalls.serving(tx)]


def note(recalled: Recalled) -> str:
    """Return what it means that a recalled version still serves, and what ends that."""
    return (
        f"model {recalled.model} still serves version {recalled.version}, which was recalled on "
        f"{recalled.recalled_at:%Y-%m-%d %H:%M:%S} UTC by {recalled.recalled_by}: it goes on reading, and none of its "
        f"results leave; `pacs-node models mode {recalled.model} off` ends that, or another version takes its place"
    )


def refuse(tx: Transaction, model: str, version: str) -> None:
    """Refuse what would have a recalled version's results leave.

    Raises
    ------
    OperatorError
        Where it was recalled: a recall is for good, so there is no way to go on with this version.
    """
    if why := recalls.why(tx, model, version):
        raise OperatorError(
            f"{why}: none of its results leave, now or later. Let another version serve: `pacs-node models versions "
            f"{model}` lists them"
        )
