"""The work of a verdict, in a child process: both bundles asked about every locked set, one set at a time.

It gets paths and returns values; the learned part is imported here alone, and late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from node.domain.errors import Permanent
from node.telemetry import native_chatter_dropped

if TYPE_CHECKING:
    from models.gate.gate_values import Answers, LockedSet
    from models.gate.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Asked:
    """A bundle that is asked, and what the node calls its version."""

    bundle: Path
    version: str


@dataclass(frozen=True, slots=True)
class SetFolder:
    """A locked set on disk."""

    name: str
    version: str
    digest: str
    folder: Path  #: as `models.data.examples` reads it
    split: str
    target: bool
    uses: int


def verdict_of(protocol: Mapping[str, Any], champion: Asked, challenger: Asked, sets: Sequence[SetFolder]) -> "Verdict":
    """Return the verdict on a challenger.

    Parameters
    ----------
    protocol
        The fields of `models.gate.protocol.Protocol`.
    champion, challenger
        The two bundles.
    sets
        The locked sets; their labels are the indices of the champion's classes.

    Raises
    ------
    Permanent
        Where a bundle or a set cannot be used, or nothing can be judged.
    """
    from models.bundle.vouched import BundleError  # noqa: PLC0415 - only the child process imports the learned part
    from models.data.labelled import DataError  # noqa: PLC0415 - the same
    from models.gate.gate_values import GateError  # noqa: PLC0415 - the same
    from models.gate.judge import judge  # noqa: PLC0415 - the same
    from models.gate.protocol import Protocol  # noqa: PLC0415 - the same

    try:
        with native_chatter_dropped():
            locked, before, after = _asked(champion, challenger, sets)
        return judge(Protocol(**protocol), before, after, locked)
    except (BundleError, DataError, GateError) as error:
        raise Permanent(str(error)) from error


def _asked(
    champion: Asked, challenger: Asked, sets: Sequence[SetFolder]
) -> "tuple[dict[str, LockedSet], Answers, Answers]":
    from models.data.examples import KeptFolder  # noqa: PLC0415 - as above
    from models.gate.asking import answers, locked_set, said  # noqa: PLC0415 - as above
    from models.inference.reader import load  # noqa: PLC0415 - as above

    first, second = load(champion.bundle), load(challenger.bundle)
    classes = [known.name for known in first.manifest.classes]
    locked, before, after = {}, {}, {}
    for one in sets:
        images = KeptFolder(one.folder).images(one.split)  # let go of before the next set is read
        facts = (one.name, one.version, one.digest)
        locked[one.name] = locked_set(*facts, images, classes, target=one.target, uses=one.uses)
        before[one.name], after[one.name] = said(first, images), said(second, images)
    return locked, answers(first, champion.version, before), answers(second, challenger.version, after)
