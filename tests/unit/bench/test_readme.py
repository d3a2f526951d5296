"""The page of the benchmarks names all of them."""

import re

from tests.support.nodes.process import CHECKOUT

_BENCH = CHECKOUT / "bench"


def test_the_page_names_every_script_and_every_room() -> None:
    """And none that is not there."""
    named = set(re.findall(r"`(\w+)(?:\.py(?: \w+)?)?`", (_BENCH / "README.md").read_text(encoding="utf-8")))
    scripts = {path.stem for path in _BENCH.glob("*.py")} - {"__init__"}
    rooms = {path.parent.name for path in _BENCH.glob("*/__init__.py")}
    assert named == scripts | rooms
