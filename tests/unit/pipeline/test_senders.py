"""What the operator set of each sender."""

from pathlib import Path

from node import config
from node.pipeline.senders import Sender, senders_of

_PEER = '[[peers]]\nname = "{name}"\nae_title = "{title}"\nhost = "h"\nport = 104\n{more}\n'


def _settings(tmp_path: Path, *peers: str) -> config.Settings:
    path = tmp_path / "config.toml"
    path.write_text('[node]\nae_title = "N"\n[study]\nquiet_period_s = 30\n' + "".join(peers), encoding="utf-8")
    return config.load(path)


def test_a_sender_is_waited_for_as_its_peer_says_and_else_as_the_node_does(tmp_path: Path) -> None:
    """A number, what is learnt, or the number of [study]."""
    settings = _settings(
        tmp_path,
        _PEER.format(name="ct", title="CT", more="may_send = true\nquiet_period_s = 5\nurgent = true"),
        _PEER.format(name="mr", title="MR", more='quiet_period_s = "learnt"\nquery = true'),
        _PEER.format(name="cr", title="CR", more="one_study_per_association = true"),
    )
    assert senders_of(settings) == {
        "CT": Sender(5.0, urgent=True),
        "MR": Sender(None, query=True),
        "CR": Sender(30.0, one_study_per_association=True),
    }


def test_of_two_peers_with_one_title_the_one_that_may_send_counts(tmp_path: Path) -> None:
    """The other is a viewer under the same title, to which reports go."""
    viewer = _PEER.format(name="viewer", title="PACS", more="quiet_period_s = 1")
    sender = _PEER.format(name="sender", title="PACS", more="may_send = true\nquiet_period_s = 9")
    assert senders_of(_settings(tmp_path, viewer, sender))["PACS"].quiet_period_s == 9
