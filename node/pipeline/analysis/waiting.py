"""How long studies wait for more images, and how urgent they are: the operator's policy, applied to who sends."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from node.pipeline.receive_policy import ReceivePolicy
from node.pipeline.senders import Sender, quiet_periods_s
from node.store.database import Transaction
from node.store.working import queue
from node.store.working.queue import Wait

_ANYBODY = Sender()


@dataclass(frozen=True, slots=True)
class Came:
    """An image that a model reads has come."""

    study_instance_uid: str
    model: str
    calling_ae_title: str
    is_fetched: bool = False  #: by a backfill


class Waiting:
    """Applies a policy.

    Parameters
    ----------
    policy
        Quiet period, longest wait, and the senders that differ.
    """

    def __init__(self, policy: ReceivePolicy) -> None:
        self.policy = policy

    def priority(self, calling_ae_title: str, *, is_fetched: bool) -> int:
        """Return how urgent an image is to read; smaller is first."""
        if is_fetched:
            return queue.BACKFILL
        return queue.URGENT if self._sender(calling_ae_title).urgent else queue.LIVE

    def after_images(self, tx: Transaction, images: Iterable[Came], now: datetime) -> dict[tuple[str, str], Wait]:
        """Return how long each study and model waits after images that came now; the slowest sender counts."""
        came = set(images)
        titles = {one.calling_ae_title for one in came}
        quiet_s = quiet_periods_s(tx, self.policy.senders, self.policy.quiet_period_s, titles) if titles else {}
        waits: dict[tuple[str, str], Wait] = {}
        for one in came:
            wait = self._wait(one, quiet_s[one.calling_ae_title], now)
            pair = one.study_instance_uid, one.model
            waits[pair] = _longer(waits[pair], wait) if pair in waits else wait
        return waits

    def after_change(self, now: datetime) -> Wait:
        """Return how long a study waits after the header of an image changed: those of the others may follow."""
        policy = self.policy
        quiet, longest = timedelta(seconds=policy.quiet_period_s), timedelta(seconds=policy.max_wait_s)
        return Wait(now + quiet, now + longest)

    def _wait(self, came: Came, quiet_s: float, now: datetime) -> Wait:
        half = timedelta(seconds=quiet_s / 2)
        ask_at = now + half if self._sender(came.calling_ae_title).query else None
        latest_at = now + timedelta(seconds=self.policy.max_wait_s)
        priority = self.priority(came.calling_ae_title, is_fetched=came.is_fetched)
        return Wait(now + 2 * half, latest_at, ask_at, priority)

    def _sender(self, calling_ae_title: str) -> Sender:
        return self.policy.senders.get(calling_ae_title, _ANYBODY)


def _longer(one: Wait, other: Wait) -> Wait:
    longer = max(one, other, key=lambda wait: wait.until)
    return replace(longer, priority=min(one.priority, other.priority))
