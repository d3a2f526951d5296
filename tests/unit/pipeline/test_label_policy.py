"""[labels]: what a site calls the classes, what titles mean, and the zone of its times."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from node import config
from node.domain.errors import OperatorError
from node.pipeline.labels.label_policy import policy_of


def _settings(**labels: Any) -> config.Settings:
    peer = {"name": "a", "ae_title": "A", "host": "h", "port": 104, "may_send": True}
    return config.parse({"node": {"ae_title": "NODE"}, "peers": [peer], "labels": labels}, Path("config.toml"))


def test_what_a_site_adds_joins_what_is_shipped() -> None:
    """Names, classes, codes and titles; a title without a scheme is of DCM."""
    policy = policy_of(
        _settings(
            aliases={"pneumonia": ["PN"], "tuberculosis": ["TB"], "nsclc": ["non-small cell carcinoma"]},
            codes={"tuberculosis": ["SCT:56717001"]},
            titles={"113005": "TB", "99SITE:7": "no pneumonia"},
            timezone="Asia/Shanghai",
        )
    )
    assert policy.vocabulary.classes == {"pneumonia", "tuberculosis", "nsclc"}
    assert {"PN", "肺炎"} <= set(policy.vocabulary.aliases["pneumonia"])
    assert policy.vocabulary.class_of("SCT", "56717001") == "tuberculosis"
    assert policy.titles == {"DCM:113005": "TB", "99SITE:7": "no pneumonia"}
    assert policy.aware(datetime(2026, 1, 2, 8)) == datetime(2026, 1, 2, tzinfo=UTC)  # noqa: DTZ001 - as objects say it


def test_the_makers_of_ai_of_a_site_are_known_to_its_labels() -> None:
    """In lower case, as they are compared."""
    peer = {"name": "a", "ae_title": "A", "host": "h", "port": 104, "may_send": True}
    told = {"node": {"ae_title": "NODE"}, "peers": [peer], "study": {"ai_manufacturers": [" CloudScan AI"]}}
    assert policy_of(config.parse(told, Path("config.toml"))).ai_manufacturers == {"cloudscan ai"}


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        ({"timezone": "Mars/Olympus"}, "no time zone of this host"),
        ({"codes": {"pneumonia": ["233604007"]}}, "a code is SCHEME:VALUE"),
        ({"titles": {"113005": " "}}, "an empty text names nothing"),
        ({"titles": {"Of Interest": "pneumonia"}}, "a title is a code"),
        ({"aliases": {"Pneumonia!": ["PN"]}}, "pattern"),
        ({"aliases": {"pneumonia": ["PN", "no pneumonia"]}}, "'no pneumonia' holds a word that negates"),
        ({"aliases": {"pneumonia": ["无肺炎"]}}, "negates, doubts or disputes"),
        ({"aliases": {"pneumonia": ["無肺炎"]}}, "negates, doubts or disputes"),
        ({"aliases": {"pneumonia": ["possible pneumonia"]}}, "negates, doubts or disputes"),
        ({"aliases": {"pneumonia": ["疑似肺炎"]}}, "negates, doubts or disputes"),
        ({"alias": {}}, "did you mean aliases"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(labels: dict[str, Any], fault: str) -> None:
    """As every other fault of a configuration."""
    with pytest.raises(OperatorError, match=fault):
        _settings(**labels)
