"""How a site reads labels: what it calls the classes, what titles mean, and in which zone times without one are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from node.config import Settings
from node.domain.label_text import Vocabulary, vocabulary


@dataclass(frozen=True, slots=True)
class LabelPolicy:
    """What the operator set for labels."""

    vocabulary: Vocabulary
    titles: Mapping[str, str]  #: by SCHEME:VALUE of a Key Object's title, the text as which it counts
    zone: tzinfo | None  #: None: that of this host
    ai_manufacturers: frozenset[str] = frozenset()  #: of [study], in lower case

    def aware(self, time: datetime) -> datetime:
        """Return a time in a zone: its own, else the one that the site says."""
        if time.tzinfo is not None:
            return time
        return time.astimezone() if self.zone is None else time.replace(tzinfo=self.zone)


def policy_of(settings: Settings) -> LabelPolicy:
    """Return what [labels] says; codes and titles without a scheme are of DCM."""
    labels = settings.labels
    titles = {(title if ":" in title else f"DCM:{title}"): text for title, text in labels.titles.items()}
    zone = ZoneInfo(labels.timezone) if labels.timezone else None
    makers = frozenset(name.strip().lower() for name in settings.study.ai_manufacturers)
    return LabelPolicy(vocabulary(labels.aliases, labels.codes), titles, zone, makers)
