"""What the shipped generator's images are worth, beside held-out radiographs.

    python bench/synthetic.py [--generator models/generator] [--bundle models/starter] [--data ../shared/data]
                              [--picture docs/synthetic-samples.png] [--record] [--augmentation]

Train and val are read, never test. Printed as the tables in docs/synthetic.md; --picture draws samples, --record writes
the measures into the generator's manifest, --augmentation also trains classifiers without and with painted images.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.running.places import DATA
from models import STARTER
from models.data.labelled import LabelledImages
from models.data.zips import ZipFolder
from models.evaluation.painted_measures import eight_bits, measured_by
from models.inference.generator import GENERATOR, Generator, load_generator, write_manifest
from models.training.threads import limit_threads

PICTURE_SEED, COLUMNS, ROWS_A_LABEL = 2, 8, 2
MARGIN = 14
"""Pixels for a row's name."""

ADDED, SEEDS = 1000, (1, 2)
"""Painted images of each label that the augmentation arm adds, and its seeds."""


def main() -> None:
    """Print the measures."""
    options = _options()
    limit_threads(2)
    generator, data = load_generator(options.generator), ZipFolder(options.data / "chest_kermany")
    train, held_out = data.images("train"), data.images("val")
    measures = measured_by(options.bundle)(generator, train, held_out)
    print(table(measures))
    if options.augmentation:
        measures["augmentation"] = augmentation(generator, train, held_out)
    elif "augmentation" in generator.manifest.measures:
        measures["augmentation"] = generator.manifest.measures["augmentation"]
    if options.record:
        write_manifest(options.generator, replace(generator.manifest, measures=measures))
    if options.picture:
        cv2.imwrite(str(options.picture), picture(generator), [cv2.IMWRITE_PNG_COMPRESSION, 9])


def table(measures: dict[str, Any]) -> str:
    """Return the measures as a table in Markdown."""
    rows = [f"| admitted, {label} | {share:.1%} |" for label, share in measures["admitted"].items()]
    rows += [f"| the classifier agrees, {label} | {share:.1%} |" for label, share in measures["agreed"].items()]
    rows.append(f"| Fréchet distance to held-out images | {measures['frechet']:.2f} |")
    rows.append(f"| the same of as many training images | {measures['frechet_floor']:.2f} |")
    for name in ("pixels", "features"):
        found = measures[f"nearest_{name}"]
        rows += [
            f"| nearest training image, {name}, {who}: median; 5th percentile | "
            f"{found[key]:.4f}; {found[f'{key}_closest']:.4f} |"
            for who, key in (("painted", "painted"), ("held-out", "held_out"))
        ]
        rows.append(f"| painted nearer to one than any held-out image, {name} | {found['nearer_than_any']:.1%} |")
    varied = measures["variety"]
    rows.append(
        f"| mean distance of two images, painted; held-out | {varied['painted']:.3f}; {varied['held_out']:.3f} |"
    )
    images = ", ".join(f"{count} {label}" for label, count in measures["images"].items())
    return "\n".join([f"| {images} | |", "|---|---|", *rows])


def augmentation(generator: Generator, train: LabelledImages, held_out: LabelledImages) -> dict[str, Any]:
    """Print and return what painted images do to a classifier that learns from them too."""
    from models.training.synthetic_arm import compare  # noqa: PLC0415 only where it is asked for

    arm = compare(generator, train, held_out, ADDED, SEEDS, lambda _stage, _done, _total: None)
    print(f"\n| AUC on val made hard | {' | '.join(f'seed {seed}' for seed in SEEDS)} |\n|---|{'---|' * len(SEEDS)}")
    print(f"| without | {' | '.join(f'{area:.4f}' for area in arm.without)} |")
    print(f"| with {ADDED} painted images of each label | {' | '.join(f'{area:.4f}' for area in arm.added)} |")
    print(f"\ngain {arm.gain:+.4f}: {'it helped' if arm.helped else 'it did not help, and stays off'}")
    return {"added_of_each_label": ADDED, "without": arm.without, "with": arm.added, "helped": arm.helped}


def picture(generator: Generator) -> NDArray[np.uint8]:
    """Return samples in rows, each named with its label."""
    rows = [
        row
        for label in generator.labels
        for images in [generator.images(label, COLUMNS * ROWS_A_LABEL, PICTURE_SEED)]
        for row in (_row(label, images[:COLUMNS]), _row(label, images[COLUMNS:]))
    ]
    return np.concatenate(rows)


def _row(label: str, images: NDArray[np.float32]) -> NDArray[np.uint8]:
    pixels = np.concatenate(list(eight_bits(images)), axis=1)
    name = np.full((MARGIN, pixels.shape[1]), 255, np.uint8)
    cv2.putText(name, f"{label}, synthetic", (3, MARGIN - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.36, 0, 1, cv2.LINE_AA)
    return np.concatenate([name, pixels])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", type=Path, default=GENERATOR)
    parser.add_argument("--bundle", type=Path, default=STARTER)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--record", action="store_true", help="write the measures into the generator's manifest")
    parser.add_argument("--augmentation", action="store_true", help="a quarter of an hour more")
    return parser.parse_args()


if __name__ == "__main__":
    main()
