"""What a bundle makes of images that are not as they should be: how many it reads, and what it then says.

    python bench/robustness.py [--bundle models/starter] [--data ../shared/data]

Every change is made to all images of the public test split of children's chests; adults' chests come from another set.
Printed as the table in docs/model-card.md, which the same code fills. It is a look at test splits, so it leaves lines
in docs/evaluations.csv.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

import cv2

from bench.running.places import CHECKOUT, DATA
from models import STARTER
from models.data.dataset import open_data
from models.evaluation import robustness
from models.evaluation.log import log_use, use_of
from models.evaluation.templating import ends, number, percent
from models.inference.reader import load

LOG = CHECKOUT / "docs" / "evaluations.csv"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=STARTER)
    parser.add_argument("--data", type=Path, default=DATA)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    sets = {name: open_data(asked.data / name) for name in ("chest_kermany", "chest_nih_adult")}
    children, adults = (data.images("test") for data in sets.values())
    print(f"{len(children)} children's and {len(adults)} adults' chests\n")
    print("| images | admitted | AUC | called positive | of the ill | of the healthy |\n|---|---|---|---|---|---|")
    reader, rows = load(asked.bundle), []
    for row in robustness.rows(reader, children, adults, lambda *_: None):
        rows.append(row)
        area = f"{number(row['auc'])} {ends(row['auc_interval'])}".strip()
        shares = " | ".join(percent(row[name]) for name in ("positive", "of_ill", "of_healthy"))
        print(f"| {row['name']} | {percent(row['admitted'])} | {area} | {shares} |", flush=True)
    for row, (name, data) in zip((rows[0], rows[-1]), sets.items(), strict=True):
        origin, now = (name, data.digest(["test"])), datetime.now(UTC)
        log_use(LOG, use_of(reader.manifest, row, origin, "test", now, "bench/robustness.py"))


if __name__ == "__main__":
    main()
