"""What an operator is shown of a copy in the quarantine, and of a delivery."""

from pathlib import Path

import numpy as np

from node.pipeline.checks.all_checks import check
from node.pipeline.operator import operate
from node.pipeline.operator.study_text import explain
from tests.support.houses.house import PIXELS, House, radiograph
from tests.support.houses.line import Line


def test_check_names_the_study_and_the_study_names_the_file(house: House) -> None:
    """Otherwise nobody finds out which of thousands of studies it is about, nor where the copy lies."""
    house.receive(radiograph())
    assert house.receive(radiograph(np.flipud(PIXELS).copy())) == 0x0111
    lines = check(house.settings(), Path("config.toml"), house.clock())
    (told,) = (line.text for line in lines if line.subject == "quarantine")
    assert told.startswith("1 copies that contradict")
    assert told.endswith("(the latest in 1.2.3)")
    (copy,) = house.rows("SELECT path FROM instance_copies")[0]
    said = explain(operate.study(house.settings(), "1.2.3", house.clock()))
    assert " instance stored 1.2.3.1.1: " in said
    assert "Quarantined: a copy of 1.2.3.1.1 from " in said
    assert f"other pixels under the same UID: {copy}" in said


def test_a_delivery_says_whose_result_it_is_and_no_wrong_reason(house: House) -> None:
    """Of several models each has its own; what the last attempt met is not what cancelled it."""
    line = Line(house)
    house.receive(radiograph())
    line.report()
    house.execute("UPDATE deliveries SET state = 'cancelled', last_error = 'it refused the connection'")
    said = explain(operate.study(house.settings(), "1.2.3", house.clock())).split("Deliveries")[1]
    assert "before that: it refused the connection, a result of starter " in said
