"""config.toml: what is let in, and what every fault says."""

import re
from pathlib import Path

import pytest

from node import config
from node.domain.errors import OperatorError

MINIMAL = """\
[node]
ae_title = "PACSNODE"
[[peers]]
name = "pacs"
ae_title = "PACS"
host = "h"
port = 104
may_send = true
"""


def _load(tmp_path: Path, text: str) -> config.Settings:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return config.load(path)


def _faults(tmp_path: Path, text: str) -> str:
    with pytest.raises(OperatorError) as caught:
        _load(tmp_path, text)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_the_shipped_configuration_is_accepted() -> None:
    """What a new user starts with."""
    settings = config.load(Path(__file__).parents[2] / "config.toml")
    assert settings.node.ae_title == "PACSNODE"
    assert settings.models[0].mode == "shadow"


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """Not to the folder that the operator happens to stand in."""
    signed = '[[models]]\nname = "theirs"\nbundle = "./theirs"\npublic_key = "keys/theirs.pem"\n'
    settings = _load(tmp_path, MINIMAL + signed)
    assert settings.models[-1].bundle == str(tmp_path / "theirs")
    assert settings.models[-1].public_key == tmp_path / "keys" / "theirs.pem"
    assert settings.node.data_dir == tmp_path / "var"
    assert settings.database.url == f"sqlite:///{tmp_path}/var/node.db"


def test_the_language_of_a_peer_is_one_that_ships(tmp_path: Path) -> None:
    """English where none is named; the fault says which there are."""
    assert _load(tmp_path, MINIMAL).peers[0].language == "en"
    assert _load(tmp_path, MINIMAL + 'language = "zh"\n').peers[0].language == "zh"
    fault = _faults(tmp_path, MINIMAL + 'language = "tlh"\n')
    assert "[[peers]] #1 language = 'tlh': no language that ships: en, zh do, and another is one file" in fault


def test_a_peer_gets_what_its_profile_says_unless_it_says_so_itself(tmp_path: Path) -> None:
    """The default profile gives nothing: a modality gets no reports by being named."""
    peers = {
        "": (),
        'profile = "default"': (),
        'profile = "ohif"': ("report",),
        'profile = "ohif"\ngets = ["report", "heatmap"]': ("report", "heatmap"),
        'profile = "horos"\ngets = []': (),
    }
    for keys, gets in peers.items():
        assert _load(tmp_path, MINIMAL + keys + "\n").peers[0].gets == gets
    assert "default, ohif, weasis, horos, air are known" in _faults(tmp_path, MINIMAL + 'profile = "osirix"\n')


def test_what_goes_beside_a_report_goes_with_one(tmp_path: Path) -> None:
    """A heat map alone would be a result without the words that say what it is."""
    assert 'add "report"' in _faults(tmp_path, MINIMAL + 'gets = ["heatmap"]\n')
    assert "gets" in _faults(tmp_path, MINIMAL + 'gets = ["report", "pdf"]\n')
    as_text = "[[peers]] #1 gets = 'report': a list is asked for: write [\"report\"]"
    assert as_text in _faults(tmp_path, MINIMAL + 'gets = "report"\n')
    assert '"report" is given more than once' in _faults(tmp_path, MINIMAL + 'gets = ["report", "report"]\n')


def test_the_quiet_period_of_a_peer_is_a_number_or_learnt(tmp_path: Path) -> None:
    """Nothing else, and no number that the longest wait would always cut short."""
    assert _load(tmp_path, MINIMAL + 'quiet_period_s = "learnt"\n').peers[0].quiet_period_s == "learnt"
    assert _load(tmp_path, MINIMAL + "quiet_period_s = 2\n").peers[0].quiet_period_s == 2
    assert "quiet_period_s" in _faults(tmp_path, MINIMAL + 'quiet_period_s = "short"\n')
    too_long = "quiet_period_s = 901\n"
    assert "pacs: quiet_period_s = 901 is longer than" in _faults(tmp_path, MINIMAL + too_long)


def test_the_words_of_a_rule_are_compared_as_headers_write_them(tmp_path: Path) -> None:
    """In upper case and without spaces around, so that a rule in lower case reads what it names."""
    rule = 'modalities = ["dx", " cr"]\nbody_parts = ["chest"]\nviews = ["pa "]\nsenders = ["CR1 "]\n'
    (model,) = _load(tmp_path, f'{MINIMAL}[[models]]\nname = "m"\n{rule}').models
    assert (model.modalities, model.body_parts, model.views) == (("DX", "CR"), ("CHEST",), ("PA",))
    assert model.senders == ("CR1",)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("modalities", "[]"), ("modalities", '["XRAY"]'), ("presentation_intents", "[]"), ("body_parts", '[""]')],
        *[("senders", '["A_TITLE_TOO_LONG_X"]'), ("manufacturers", '[" "]'), ("institutions", '[""]')],
    ],
)
def test_a_rule_that_could_read_nothing_is_refused(tmp_path: Path, key: str, value: str) -> None:
    """A model that silently reads nothing looks as if nothing came."""
    assert f"[[models]] #1 {key}" in _faults(tmp_path, f'{MINIMAL}[[models]]\nname = "m"\n{key} = {value}\n')


def test_an_empty_file_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    """Nothing is guessed."""
    faults = _faults(tmp_path, "")
    assert "the file is empty" in faults
    assert "[node]: missing" in faults
    assert "[[peers]]: missing" in faults


def test_all_faults_are_reported_together_with_table_key_and_value(tmp_path: Path) -> None:
    """One round of mending is enough."""
    faults = _faults(
        tmp_path,
        '[node]\nae_title = "A TITLE THAT IS TOO LONG"\nport = 99999\n[study]\nquiet_period = 3\n'
        '[[peers]]\nname = "p"\nae_title = "P"\nhost = "h"\nport = 0\nmay_send = "perhaps"\n[storag]\n',
    )
    assert "[node] ae_title = 'A TITLE THAT IS TOO LONG': an AE title has 1 to 16" in faults
    assert "[node] port = 99999: " in faults
    assert "[study] quiet_period: unknown key, did you mean quiet_period_s?" in faults
    assert "[[peers]] #1 port = 0: " in faults
    assert "[[peers]] #1 may_send = 'perhaps': " in faults
    assert "[storag]: unknown key, did you mean storage?" in faults


def test_a_configuration_in_which_nobody_may_send_is_refused(tmp_path: Path) -> None:
    """It would look well and receive nothing."""
    assert "may_send = true" in _faults(tmp_path, MINIMAL.replace("may_send = true", "may_send = false"))


def test_several_receiving_processes_are_taken_on_both_databases(tmp_path: Path) -> None:
    """On SQLite they hand over what they received to the one process that writes."""
    several, url = "[receive]\nprocesses = 2\n", '[database]\nurl = "postgresql+psycopg://pacs@host/node"\n'
    for database in ("", f'[database]\nurl = "sqlite:///{tmp_path}/node.db"\n', url):
        assert _load(tmp_path, MINIMAL + several + database).receive.processes == 2
    assert _load(tmp_path, MINIMAL).receive.processes == 0
    assert "[receive] processes = 65" in _faults(tmp_path, MINIMAL + several.replace("2", "65"))


def test_a_name_used_twice_is_refused(tmp_path: Path) -> None:
    """Deliveries are kept by the peer's name."""
    peers = MINIMAL + MINIMAL.split("\n", 2)[2]
    assert "[[peers]] name pacs is used more than once" in _faults(tmp_path, peers)


@pytest.mark.parametrize(("folders", "name"), [(["a/xrays", "b/xrays"], "xrays"), (["site"], "site")])
def test_folders_that_are_replayed_are_told_apart_by_their_last_name(
    tmp_path: Path, folders: list[str], name: str
) -> None:
    """Of two with one name a training would see only one."""
    fault = _faults(tmp_path, MINIMAL + f"[retrain]\nreplay = {folders}\n")
    assert "[retrain]" in fault
    assert f"and {name} would stand for two sources: rename a folder" in fault


def test_a_flag_written_as_a_string_is_refused(tmp_path: Path) -> None:
    """Guessing what "yes" means could open the node to every caller."""
    faults = _faults(
        tmp_path, MINIMAL + 'test = "true"\n[receive]\naccept_any_calling_ae = "yes"\nmax_associations = "9"\n'
    )
    assert "[[peers]] #1 test = 'true'" in faults
    assert "[receive] accept_any_calling_ae = 'yes'" in faults
    assert "[receive] max_associations = '9'" in faults


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("receive", "association_timeout_s"),
        ("receive", "pdu_timeout_s"),
        ("receive", "idle_timeout_s"),
        ("node", "drain_timeout_s"),
        ("study", "quiet_period_s"),
        ("study", "max_wait_s"),
        ("work", "deadline_s"),
    ],
)
@pytest.mark.parametrize("value", ["inf", "1e12"])
def test_a_time_that_no_clock_can_hold_is_refused(tmp_path: Path, table: str, key: str, value: str) -> None:
    """An infinite one would end the thread that accepts, or break off a drain."""
    text = MINIMAL.replace("[[peers]]", f"{key} = {value}\n[[peers]]") if table == "node" else MINIMAL
    faults = _faults(tmp_path, text if table == "node" else f"{text}[{table}]\n{key} = {value}\n")
    assert f"[{table}] {key} = {float(value)!r}: Input should be less than or equal to 604800" in faults


def test_faults_between_tables_are_reported_beside_all_others(tmp_path: Path) -> None:
    """Names used twice, ages the wrong way round, a wait that never comes, a database of another kind."""
    models = '[[models]]\nname = "m"\nage_years = [9, 1]\n[[models]]\nname = "m"\n'
    faults = _faults(tmp_path, MINIMAL + models + '[study]\nmax_wait_s = 1\n[database]\nurl = "mysql://x"\n')
    assert "[[models]] name m is used more than once" in faults
    assert "the youngest age comes first" in faults
    assert "quiet_period_s = 60 is longer than max_wait_s = 1" in faults
    assert "'mysql://x': sqlite:///PATH and postgresql+psycopg" in faults


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://node:hunter2@db/n",
        "postgres://node:hun/t@er2@db:5432/n",
        "node:hunter2@db/n",
        "postgresql://db/n?user=node&password=hunter2",
    ],
)
def test_no_fault_repeats_a_password(tmp_path: Path, url: str) -> None:
    """Standard error is a journal in many places."""
    fault = _faults(tmp_path, f'{MINIMAL}[database]\nurl = "{url}"\n')
    assert "db" in fault
    assert "***" in fault
    assert not re.search("hun|er2", fault)


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    """As the parser says it."""
    assert "line 1" in _faults(tmp_path, "[node\n")


def test_the_database_password_comes_from_a_file(tmp_path: Path) -> None:
    """And is quoted for the URL."""
    (tmp_path / "secret").write_text("p@ss/word\n", encoding="utf-8")
    database = '[database]\nurl = "postgresql+psycopg://node@db/pacs"\npassword_file = "secret"\n'
    assert _load(tmp_path, MINIMAL + database).database.url == "postgresql+psycopg://node:p%40ss%2Fword@db/pacs"


def test_the_database_password_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no file is named."""
    monkeypatch.setenv(config.PASSWORD_VARIABLE, "secret")
    database = '[database]\nurl = "postgresql+psycopg://node@db/pacs"\n'
    assert _load(tmp_path, MINIMAL + database).database.url == "postgresql+psycopg://node:secret@db/pacs"


def test_a_missing_password_file_is_named(tmp_path: Path) -> None:
    """Before anything tries to connect."""
    database = '[database]\nurl = "postgresql+psycopg://node@db/pacs"\npassword_file = "nowhere"\n'
    assert "nowhere" in _faults(tmp_path, MINIMAL + database)


def test_the_file_is_found_by_option_then_environment_then_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order that the manual gives."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(config.ENVIRONMENT_VARIABLE, raising=False)
    with pytest.raises(OperatorError, match="--config"):
        config.find(None)
    for name in ("config.toml", "other.toml", "third.toml"):
        (tmp_path / name).touch()
    assert config.find(None) == Path("config.toml")
    monkeypatch.setenv(config.ENVIRONMENT_VARIABLE, str(tmp_path / "other.toml"))
    assert config.find(None) == tmp_path / "other.toml"
    assert config.find(tmp_path / "third.toml") == tmp_path / "third.toml"
