"""What regions of real images are worth: how large, how stable, where they lie, and what the score loses without them.

    python bench/region_worth.py [--data ../shared/data/chest_kermany] [--split val] [--images 200]

Nobody has outlined a disease in these images, so that nothing here says whether a region is right. What is measured:

- area: share of the image that is outlined, and how many answers have no region;
- border: share of the outlined area in the outer sixteenth of each side, where no lung is; off the body: share of it on
  air (`off_body`); letters: share of the regions that take in a burned-in mark (`marks`); middle: share of the outlined
  area in the middle sixth of the columns, where spine and mediastinum are;
- stability: the overlap (intersection by union) of the region with those of the same image moved by 2 % of its side to
  each of four sides, and with noise of 2 % of its range; an image that loses its region by that counts as 0;
- deletion: what the score loses without the region, less what it loses without regions of the same shape at four random
  places; also for each hundredth of the image that is outlined. A region is taken out twice: painted over from its
  surroundings, and replaced by what stands on the other side (`models.evaluation.deletion`).

Classes are measured where they are flagged, in logits; the anomaly score where it is unusual, in deviations of normals
(`from the other side` alone: smooth paint is what it looks for). Only splits for choosing: a test split is refused.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models import STARTER
from models.data.dataset import open_data
from models.evaluation.deletion import PLACES, Mask, Remove, elsewhere, filled, from_other_side, painted_over
from models.evaluation.explanation import spread
from models.images.preprocess import Image
from models.inference.explain import ANOMALY, explained
from models.inference.reader import Prediction, Reader, load
from node.domain.finding import UNUSUAL_PERCENTILE

_MOVED, _NOISE, _BORDER = 0.02, 0.02, 1 / 16
_DARK, _BRIGHT = 0.12, 0.85  # of the range: air or collimation; burned-in letters
_MARK = (0.0002, 0.01)  # area of a letter, in shares of the image
_EDGE = 0.2  # of the side: letters stand in this border

Pixels = NDArray[np.float32]
"""An image as it came, shape (rows, columns), 0 to 255."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What is measured of one region."""

    mask: Mask
    border: float
    off_body: float
    letter: bool
    middle: float
    overlaps: tuple[float, ...]


def main() -> None:
    """Print a paragraph for each map."""
    options = _options()
    if options.split == "test":
        raise SystemExit("a test split is for measuring a model and not for choosing a rule: name another one")
    cv2.setNumThreads(1)
    images = [np.asarray(one, np.float32) for one in open_data(options.data).images(options.split).pixels]
    reader = load(options.bundle)
    said = [reader.read(image) for image in images]
    for known in reader.manifest.classes:
        flagged = [at for at, one in enumerate(said) if one.probabilities.get(known.name, 0) >= known.threshold]
        chosen = spread(np.array(flagged))[: options.images]
        _print(known.name, reader, [images[at] for at in chosen], (painted_over, from_other_side))
    unusual = [at for at, one in enumerate(said) if (one.anomaly_percentile or 0) >= UNUSUAL_PERCENTILE]
    chosen = spread(np.array(unusual))[: options.images]
    _print(ANOMALY, reader, [images[at] for at in chosen], (from_other_side,))


def _print(name: str, reader: Reader, images: Sequence[Pixels], ways: Sequence[Remove]) -> None:
    found = [_measured(name, reader, image) for image in images]
    shown = [(image, one) for image, one in zip(images, found, strict=True) if one is not None]
    print(f"{name}: {len(images)} images, {len(images) - len(shown)} without a region")
    areas, overlaps = (np.array([_area(one.mask) for _, one in shown]), [at for _, one in shown for at in one.overlaps])
    print(f"  area          {_quantiles(100 * areas, '%')}, mean {100 * areas.mean():.1f} %")
    lies = [100 * np.mean([value(one) for _, one in shown]) for value in _LIES.values()]
    print(f"  lies          {', '.join(f'{share:.1f} % {word}' for share, word in zip(lies, _LIES, strict=True))}")
    print(f"  overlap       mean {np.mean(overlaps):.3f}, {_quantiles(np.array(overlaps), '')}")
    for way in ways:
        drops = np.array([_drops(name, reader, image, one.mask, way) for image, one in shown])
        more = drops[:, 0] - drops[:, 1]
        per_area = more.mean() / (100 * areas.mean())
        print(
            f"  {way.__name__:16} loses {drops[:, 0].mean():.2f}, elsewhere {drops[:, 1].mean():.2f}, more in "
            f"{100 * (more > 0).mean():.0f} %; for each hundredth of the image {per_area:.3f} more"
        )


_LIES: dict[str, Callable[[Measured], float]] = {
    "in the outer border": lambda one: one.border,
    "off the body": lambda one: one.off_body,
    "take in a letter": lambda one: one.letter,
    "in the middle sixth": lambda one: one.middle,
}


def _measured(name: str, reader: Reader, image: Pixels) -> Measured | None:
    mask = _region(name, reader, image)
    if mask is None:
        return None
    border, middle = np.ones_like(mask), np.zeros_like(mask)
    middle[:, round(len(mask) * 5 / 12) : round(len(mask) * 7 / 12)] = 1
    inset = round(len(mask) * _BORDER)
    border[inset:-inset, inset:-inset] = 0
    small = _plain(image)
    again = tuple(_overlap(mask, _region(name, reader, changed), back) for changed, back in _changed(image))
    return Measured(
        mask=mask,
        border=_share(mask, border),
        off_body=_share(mask, off_body(small)),
        letter=bool((mask & marks(small)).any()),
        middle=_share(mask, middle),
        overlaps=again,
    )


def _region(name: str, reader: Reader, image: Pixels) -> Mask | None:
    """Return the inside of the region, or None; whether the changed image is flagged or not."""
    seen: Prediction = reader.read(image)
    rows, columns = image.shape
    found = explained(seen, reader.manifest, rows, columns, {name}).get(name)
    return filled(found.outline, len(image)) if found is not None and found.outline else None


def _changed(image: Pixels) -> Iterator[tuple[Pixels, tuple[int, int]]]:
    """Yield the image moved and noisy, and by how much its region is to be moved back."""
    step = round(len(image) * _MOVED)
    for across, down in ((step, 0), (-step, 0), (0, step), (0, -step)):
        yield _moved(image, across, down, cv2.BORDER_REPLICATE), (-across, -down)
    noise = np.random.default_rng(0).normal(0, 255 * _NOISE, image.shape)
    yield np.clip(image + noise, 0, 255).astype(np.float32), (0, 0)


def _moved(image: NDArray[Any], across: int, down: int, border: int) -> NDArray[Any]:
    place = np.array([[1, 0, across], [0, 1, down]], np.float32)
    return np.asarray(cv2.warpAffine(image, place, image.shape[::-1], flags=cv2.INTER_NEAREST, borderMode=border))


def _overlap(mask: Mask, again: Mask | None, back: tuple[int, int]) -> float:
    if again is None:
        return 0.0
    there = _moved(again, *back, cv2.BORDER_CONSTANT)
    return float((mask & there).sum() / (mask | there).sum())


def off_body(image: Image) -> Mask:
    """Return what is air or collimated: dark after smoothing, and joined to the edge of the image."""
    dark = (cv2.GaussianBlur(image, (0, 0), len(image) / 64) < _DARK).astype(np.uint8)
    _, parts = cv2.connectedComponents(dark, connectivity=4)
    edge = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    return np.asarray(np.isin(parts, edge[edge > 0]), np.uint8)


def marks(image: Image) -> Mask:
    """Return what may be burned-in letters: small, bright, sharp, and in the border of the image."""
    soft = cv2.GaussianBlur(image, (0, 0), len(image) / 20)
    bright = ((image > _BRIGHT) & (image - soft > 0.25)).astype(np.uint8)
    border = round(len(image) * _EDGE)
    bright[border:-border, border:-border] = 0
    _, parts, sizes, _ = cv2.connectedComponentsWithStats(bright)
    shares = sizes[:, cv2.CC_STAT_AREA] / image.size
    kept = np.flatnonzero((shares > _MARK[0]) & (shares < _MARK[1]))
    return np.asarray(np.isin(parts, kept[kept > 0]), np.uint8)


def _drops(name: str, reader: Reader, image: Pixels, mask: Mask, remove: Remove) -> tuple[float, float]:
    """Return what the score loses without the region, and without one of its shape elsewhere."""
    random, plain = np.random.default_rng(0), _plain(image)
    copies = [remove(plain, at) for at in (mask, *(elsewhere(mask, random) for _ in range(PLACES)))]
    before, without, *others = [_score(name, reader, one * 255) for one in (plain, *copies)]
    return before - without, before - float(np.mean(others))


def _score(name: str, reader: Reader, image: Pixels) -> float:
    seen = reader.prepare(image)
    if name == ANOMALY:
        scores, normals = reader.anomaly_scores(lambda size: seen.views[size][np.newaxis]), reader.manifest.anomaly
        if scores is None or normals is None:
            raise SystemExit("the bundle has no anomaly score")
        return (float(scores[0]) - normals.mean) / normals.deviation
    place = [known.name for known in reader.manifest.classes].index(name)
    size = reader.manifest.classifier.size
    return float(reader.logits(seen.views[size][np.newaxis])[0, place])


def _plain(image: Pixels) -> Image:
    return np.asarray(image / 255, np.float32)


def _area(mask: Mask) -> float:
    return float(mask.mean())


def _share(mask: Mask, of: Mask) -> float:
    return float((mask & of).sum() / max(mask.sum(), 1))


def _quantiles(values: NDArray[np.float64], unit: str) -> str:
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
    digits = 1 if unit else 3
    return (
        f"median {middle:.{digits}f}{unit and ' ' + unit} (10th to 90th of 100: {low:.{digits}f} to {high:.{digits}f})"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=STARTER)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data" / "chest_kermany")
    parser.add_argument("--split", default="val")
    parser.add_argument("--images", type=int, default=200, help="of each map at most")
    return parser.parse_args()


if __name__ == "__main__":
    main()
