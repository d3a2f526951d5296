"""When a study is complete: the signals that say so, and how a sender's pauses are learnt.

DICOM has no message "this was all". What there is differs in strength, and a study is composed at the strongest that
comes; whatever comes afterwards reopens it. It knows no database, no peer and no clock.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

SHORTEST_QUIET_PERIOD_S = 2.0
"""No sender is taken for faster: two images of one study may come on two associations, one after the other."""

HABITS_KEPT = 100
"""Of so many studies, the latest, a sender's longest gap is remembered."""

WITHOUT_IMAGES = frozenset({"SR", "KO", "PR", "SEG", "DOC", "AU", "REG", "FID", "RWV", "PLAN", "RTPLAN", "RTSTRUCT"})
"""Modalities of what says something about images (DICOM PS3.3 C.7.3.1.1.1): a peer may hold such objects, this node's
own reports among them, and send none of them; and this node may have got them from somebody else."""

_HABITS_NEEDED = 20  # before it is believed: of fewer, one in twenty need not have been seen
_QUANTILE = 0.98
_MARGIN = 1.5


class Signal(StrEnum):
    """What made a study count as complete."""

    COMMITMENT_REQUESTED = "commitment requested"
    """A peer asked this node to take responsibility for images of the study (N-ACTION, DICOM PS3.4 Annex J): it has
    sent what it has. The strongest signal there is; it takes effect at once."""

    FOUND_AT_PEER = "found at peer"
    """The peer that sent the study was asked by C-FIND, and counts as many images in it as are held here
    (``query = true``). It takes effect at once."""

    ASSOCIATION_RELEASED = "association released"
    """A peer that sends one study per association (``one_study_per_association = true``) released its association,
    and ``[study] release_grace_s`` passed. One that was aborted says nothing."""

    QUIET_PERIOD = "quiet period"
    """No image of the study came for as long as its sender never pauses within a study: ``quiet_period_s``, of the
    peer or of the node, or learnt from its own gaps."""

    LONGEST_WAIT = "longest wait"
    """Images kept coming, or were not yet read, until ``[study] max_wait_s`` had passed since the first of those that
    no report holds."""

    OPERATOR = "operator"
    """Somebody said so: ``pacs-node studies UID --complete``."""


def longest_gap_s(times: Sequence[datetime], at_most_s: float) -> float:
    """Return the longest time between two images that came one after the other, at most `at_most_s`; 0 for one image.

    Parameters
    ----------
    times
        When the images of one study came from one sender, in any order.
    at_most_s
        A longer one is cut to this: a study that was sent again after a year says nothing of how a sender pauses.
    """
    ordered = sorted(times)
    gaps = ((later - earlier).total_seconds() for earlier, later in itertools.pairwise(ordered))
    return min(max(gaps, default=0.0), at_most_s)


def learnt_quiet_period_s(longest_gaps_s: Iterable[float], default_s: float) -> float:
    """Return the quiet period of a sender, from the longest gap within each of its latest studies.

    It is the gap that 98 of 100 studies do not exceed, and half of it more. Not all gaps count but the longest of each
    study: a CT sends hundreds of slices a moment apart and its series minutes apart, and it is the latter that would
    tear a study in two.

    Parameters
    ----------
    longest_gaps_s
        One for each study.
    default_s
        What holds until 20 studies are known, and the most that is ever returned.

    Returns
    -------
    float
        At least 2 s, unless the default is shorter.
    """
    ordered = sorted(longest_gaps_s)
    if len(ordered) < _HABITS_NEEDED:
        return default_s
    high = ordered[math.ceil(_QUANTILE * len(ordered)) - 1]
    return min(max(high * _MARGIN, SHORTEST_QUIET_PERIOD_S), default_s)
