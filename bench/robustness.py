"""What a bundle makes of images that are not as they should be: how many it reads, and what it then says.

    python bench/robustness.py [--bundle models/starter] [--data ../shared/data]

Every change is made to all images of the public test split of children's chests; adults' chests come from another set.
Printed as the table in docs/model-card.md, which the same code fills.
"""

import argparse
from pathlib import Path

import cv2

from models import STARTER
from models.data.dataset import open_data
from models.evaluation import robustness
from models.evaluation.templating import ends, number, percent
from models.inference.reader import load


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=STARTER)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    children = open_data(asked.data / "chest_kermany").images("test")
    adults = open_data(asked.data / "chest_nih_adult").images("test")
    print(f"{len(children)} children's and {len(adults)} adults' chests\n")
    print("| images | admitted | AUC | called positive | of the ill | of the healthy |\n|---|---|---|---|---|---|")
    for row in robustness.rows(load(asked.bundle), children, adults, lambda *_: None):
        area = f"{number(row['auc'])} {ends(row['auc_interval'])}".strip()
        shares = " | ".join(percent(row[name]) for name in ("positive", "of_ill", "of_healthy"))
        print(f"| {row['name']} | {percent(row['admitted'])} | {area} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
