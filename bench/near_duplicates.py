"""How often two patients' images are taken for one picture, and which copies are found: the perceptual hash measured.

    .venv/bin/python bench/near_duplicates.py ../shared/data/chest_kermany

Prints two tables: pairs of images of different groups within so many bits of each other, and how far copies lie from
their original. `models.images.likeness.ALIKE` is chosen by them.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.learning.shifts import compressed
from models.data.dataset import open_data
from models.images.alike import perceptual_hash
from models.images.likeness import ALIKE

Picture = NDArray[np.uint8]

COPIES, BOUNDS = 600, (10, 20, 25, ALIKE, 35, 40, 45, 50)


def _noisy(image: Picture) -> NDArray[Any]:
    return np.clip(image + np.random.default_rng(0).normal(0, 4, image.shape), 0, 255)


CHANGES: dict[str, Callable[[Picture], NDArray[Any]]] = {
    "JPEG of quality 60": lambda image: compressed(image, 60),
    "JPEG of quality 30": lambda image: compressed(image, 30),
    "resized to 160 x 160": lambda image: cv2.resize(image, (160, 160), interpolation=cv2.INTER_AREA),
    "resized to 448 x 448": lambda image: cv2.resize(image, (448, 448), interpolation=cv2.INTER_CUBIC),
    "gamma 0.8": lambda image: 255.0 * (image / 255.0) ** 0.8,
    "contrast and brightness": lambda image: np.clip((image - 128.0) * 1.2 + 138.0, 0, 255),
    "noise": _noisy,
    "blurred": lambda image: cv2.GaussianBlur(image, (0, 0), 1.0),
    "cropped by 1 %": lambda image: image[2:-2, 2:-2],
    "cropped by 2 %": lambda image: image[5:-5, 5:-5],
    "a marker drawn in": lambda image: cv2.putText(image.copy(), "R", (10, 40), 0, 1.2, 255, 3),
}


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of a data set")
    data = open_data(parser.parse_args().data)
    splits = [data.images(split) for split in data.splits]
    images = [image for some in splits for image in some.pixels]
    groups = np.array([group for some in splits for group in some.groups])
    hashes = _bits(images)
    apart = _apart(hashes, hashes)
    others = (groups[:, None] != groups[None, :]) & np.triu(np.ones_like(apart, bool), 1)
    strangers = apart[others]
    print(f"{len(images)} images of {len(set(groups))} groups, {len(strangers)} pairs of different groups\n")
    print("| bits | pairs taken for one picture | share |\n|---|---|---|")
    for bound in BOUNDS:
        count = int((strangers <= bound).sum())
        print(f"| {bound}{' (ALIKE)' if bound == ALIKE else ''} | {count} | {count / len(strangers):.1e} |")
    print(f"\nthe nearest two lie {strangers.min()} bits apart\n")
    print("| copy | median | 99th percentile | found |\n|---|---|---|---|")
    chosen = np.random.default_rng(0).choice(len(images), min(COPIES, len(images)), replace=False)
    for name, change in CHANGES.items():
        far = (_bits([change(images[number]) for number in chosen]) != hashes[chosen]).sum(1)
        print(f"| {name} | {np.median(far):.0f} | {np.percentile(far, 99):.0f} | {(far <= ALIKE).mean():.1%} |")


def _bits(images: list[Any]) -> NDArray[np.bool_]:
    found = [bytes.fromhex(perceptual_hash(image, None, False)) for image in images]
    return np.unpackbits(np.frombuffer(b"".join(found), np.uint8).reshape(len(found), -1), axis=1).astype(bool)


def _apart(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.int64]:
    signs, others = (2.0 * some.astype(np.float32) - 1.0 for some in (one, other))
    return np.asarray(np.rint((one.shape[1] - signs @ others.T) / 2), np.int64)


if __name__ == "__main__":
    main()
