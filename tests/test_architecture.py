"""The shape of the house: layers, late imports, import names, broad excepts, lengths."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from node.__main__ import require_own_import_names
from node.domain.errors import OperatorError
from tests.support.together import ONE_BUNDLE_FOR_ALL

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*ROOT.glob("node/**/*.py"), *ROOT.glob("models/**/*.py")])


def test_arrows_point_down_and_each_library_has_one_room() -> None:
    """The contracts of pyproject.toml, proved by import-linter."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_receiving_starts_without_the_learned_part() -> None:
    """Neither the command line nor a receiving process pays for TensorFlow, Keras, scikit-learn or highdicom."""
    code = (
        "import sys; import node.app, node.network.scp, node.pipeline.intake.receive, typer; "
        "from node.cli import application; typer.main.get_group(application).list_commands(None); "
        "print([name for name in ('tensorflow', 'keras', 'sklearn', 'highdicom', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_the_verbs_that_serve_load_the_whole_node() -> None:
    """The others would spend half of their time on it."""
    files = sorted(
        path.stem for path in (ROOT / "node" / "cli").glob("*.py") if path.stem not in {"__init__", "serve_verbs"}
    )
    code = f"import sys; import {', '.join(f'node.cli.{file}' for file in files)}; print('node.app' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_no_other_distribution_holds_our_import_names() -> None:
    """The check that every start makes."""
    require_own_import_names(sys.path)


@pytest.mark.parametrize("name", ["node", "models"])
def test_a_foreign_package_of_our_name_is_refused_by_name(tmp_path: Path, name: str) -> None:
    """It would be imported in place of ours, depending on the order of the path."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    with pytest.raises(OperatorError, match=str(tmp_path / name)):
        require_own_import_names([*sys.path, str(tmp_path)])


def test_the_house_has_two_broad_excepts() -> None:
    """The SCP callback and the work loop; anywhere else an error is named."""
    broad = [
        f"{path.relative_to(ROOT)}:{handler.lineno}"
        for path in SOURCES
        for handler in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(handler, ast.ExceptHandler)
        and (handler.type is None or ast.unparse(handler.type) in {"Exception", "BaseException"})
        and not _raises_again(handler)
    ]
    assert [place.split(":")[0] for place in broad] == ["node/network/service.py", "node/runtime/loop.py"], broad


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """Return whether it only cleans up: its last statement is a bare raise."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_a_file_is_one_idea() -> None:
    """Under 300 lines."""
    long = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in SOURCES}
    assert {name: lines for name, lines in long.items() if lines > 300} == {}


def test_a_module_is_found_by_its_name_alone() -> None:
    """No other room has one of that name: whoever searches for it finds one thing."""
    places: dict[str, list[str]] = {}
    for path in SOURCES:
        places.setdefault(path.stem, []).append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1 and not name.startswith("__")} == {}


def test_the_libraries_the_node_rests_on_are_bounded() -> None:
    """An upgrade of one of these is a decision, not an accident."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name in ("pynetdicom", "pydicom", "highdicom", "tensorflow", "keras"):
        requirement = next(text for text in project["dependencies"] if text.startswith(name + ">"))
        assert "<" in requirement


def test_the_lock_holds_hashes_and_no_addresses() -> None:
    """It installs the same bytes from whichever registry a site uses."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "--hash=sha256:" in lock
    assert "://" not in lock
    assert "--index-url" not in lock


def test_tests_that_use_one_trained_bundle_run_in_one_process() -> None:
    """Otherwise each process trains one, which takes longer than most files of tests."""
    using = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "tests" / "unit" / "models").rglob("test_*.py")
        if re.search(r"\b(tiny_bundle|bundle_copy)\b", file.read_text(encoding="utf-8"))
    }
    assert using == ONE_BUNDLE_FOR_ALL


def test_linear_algebra_runs_in_the_threads_that_the_tests_say() -> None:
    """Whatever loads numpy before tests/conftest.py has said so lets some tests take twenty times as long."""
    import numpy as np  # noqa: F401, PLC0415 - whoever loaded it first
    from threadpoolctl import threadpool_info  # noqa: PLC0415 - it looks at what is loaded by now

    wanted = int(os.environ["OMP_NUM_THREADS"])
    assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {wanted}


def test_tests_say_by_a_mark_which_databases_they_need() -> None:
    """One that chose by itself would be on SQLite in every run (tests/support/databases/kinds.py)."""
    chosen = re.compile(r'parametrize\(\s*\(?"house"|"house"\], indirect|NodeFolder\(.*\btables=.*"database"')
    assert [file for file in ROOT.glob("tests/**/*.py") if chosen.search(file.read_text(encoding="utf-8"))] == []
