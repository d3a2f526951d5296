"""The page of a scenario: floors and goals beside what was seen, then each step in words and figures."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.learning import challenger_rounds as challengers
from bench.scenario.hospitals import FIRST, SECOND

_PROGRESS = ("learning", "potential", "retention")

Story = Mapping[str, Mapping[str, Any]]
Row = tuple[str, float, float, str, float]
"""What it is, floor and goal, what was seen in words and as a number."""

_HEAD = """\
# A second hospital: the label loop as it was seen

Written by `bench/second_hospital.py`; nothing but the PACS is mocked. To see it again:

    .venv/bin/python bench/second_hospital.py --seed 3 --challengers 11 20 --write

It needs the public data sets beside the checkout, and goes on where it was ended.
"""


_CHALLENGERS = f"""\
Networks of the recipe `{challengers.RECIPE}`, on {challengers.PATIENTS:.0%} of the patients of chest_kermany train; a
round is as in `bench/gate.py` ([the gate](learning-measured.md#how-the-gate-does)). A champion has learned from a
quarter of the patients, a good challenger goes on from it with all of them. What the first look refuses is not
trained. Locked sets are the site's own and the official test split, whose images come from other equipment.
"""


def page(story: Story, rows: Sequence[dict[str, Any]]) -> str:
    """Return the page, as far as the story goes."""
    parts = [_HEAD, "\n".join(_table([*_aims(story), *_aims_of_challengers(rows)])), *_chapters(story)]
    if rows:
        parts += ["## Good and bad challengers", _CHALLENGERS, challengers.table(rows), *_refused(rows)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _table(rows: Sequence[Row]) -> Iterator[str]:
    yield "| | floor | goal | seen | |"
    yield "|---|---|---|---|---|"
    for what, floor, goal, seen, value in rows:
        yield f"| {what} | {floor:g} | {goal:g} | {seen} | {_met(floor, goal, value)} |"


def _met(floor: float, goal: float, value: float) -> str:
    sign = 1 if goal > floor else -1
    if sign * value >= sign * goal:
        return "goal met"
    return "floor met" if sign * value >= sign * floor else "**missed**"


def _aims(story: Story) -> Iterator[Row]:
    if "drift" in story:
        found, held = story["drift"]["alarm"], story["held out"]
        seen = f"{found}; {held['drifted']} of {held['looks']} looks at held-out images alarmed"
        yield "images of the second hospital until the drift alarm, at 1 % false alarms", 100, 25, seen, found
    if "tests" in story:
        second, first = story["tests"][SECOND.data], story["tests"][FIRST.data]
        reached, what = second["challenger"]["auc"], "loss on the first hospital after promotion (lower bound)"
        seen = f"{reached:.3f} (before: {second['champion']['auc']:.3f})"
        yield "second-hospital AUC after 400 labels", 0.85, 0.90, seen, reached
        seen = f"{first['lower']:+.4f} (difference {first['difference']:+.4f})"
        yield what if "promotion" in story else f"{what}; not promoted", -0.02, -0.005, seen, first["lower"]
    if "training" in story:
        minutes = story["training"]["minutes"]
        seen = f"{minutes:.1f} on {story['origin']['cores']} shared cores, load {story['training']['load']:.0f}"
        yield "minutes from the last label to a verdict, two cores", 30, 10, seen, minutes


def _aims_of_challengers(rows: Sequence[dict[str, Any]]) -> Iterator[Row]:
    if rows:
        bad, (good, of) = challengers.bad_promoted(rows), challengers.good_promoted(rows)
        yield "bad challengers promoted", 0, 0, f"{bad} of {len(rows) - of}", bad
        yield "good challengers promoted, out of 10", 7, 10, f"{good} of {of}", 10 * good / of


def _chapters(story: Story) -> Iterator[str]:
    for name, chapter in (
        ("origin", _origin), ("drift", _drift), ("labels", _labels), ("training", _training), ("tests", _tests),
        ("earlier", _earlier),
    ):  # fmt: skip
        if name in story:
            yield chapter(story)


def _origin(story: Story) -> str:
    found = story["origin"]
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    changed = f", with changes in {', '.join(found['changed'])}" if found["changed"] else ""
    sets = "\n".join(f"- `{name}/manifest.csv`: SHA-256 `{digest}`" for name, digest in found["manifests"].items())
    return (
        f"## On what\n\nBegun {found['began']}; commit `{found['commit']}`{changed}; Python {found['python']}; "
        f"{packages}; starter {found['starter']['version']}, manifest `{found['starter']['manifest']}`; patients came "
        f"in the order of seed {found['seed']}.\n\n{sets}"
    )


def _drift(story: Story) -> str:
    first, held, found, rest = (story[name] for name in ("reference", "held out", "drift", "rest"))
    said = "\n".join(f"- {one['kind']}: {one['said']}" for one in found["alarms"])
    return (
        f"## The second hospital comes\n\n{first['images']} studies of the first hospital came, the model "
        f"{first['mode']}; {first['reports']} reports went to the PACS. {held['images']} more, of held-out patients, "
        f"were looked at after every 25: {held['drifted']} of {held['looks']} looks alarmed. Of the second hospital "
        f"{found['sent']} studies were sent:\n\n{said}\n\n`models` says then: {found['model']['mode']}, "
        f'"{found["model"]["stopped"]}". Of the {rest["images"]} studies after it, {rest["reports"]} reports left.'
    )


def _labels(story: Story) -> str:
    found = story["labels"]
    return (
        f"## Labels\n\n{found['objects']} objects of {found['readers']} readers by C-STORE. By kind: "
        f"{_listed(found['sources'])}. By rule: {_listed(found['rules'])}. By state: {_listed(found['states'])}."
    )


def _training(story: Story) -> str:
    found, version = story["training"], story["training"]["version_row"] or {}
    rows = (f"| {row['side']} | {row['label']} | {row['images']} | {row['patients']} |" for row in found["learning"])
    sides = "\n".join(["| side | label | images | patients |", "|---|---|---|---|", *rows])
    said = found["reason"] or version.get("reason", "")
    reason = "\n".join(f"- {one}" for one in re.split(r"; (?=[\w() ]+ on )", said))
    figures = version.get("figures", {}).get("gate", {}).values()
    reason += "".join("\n- " + ", ".join(f"{name} {one[name]:+.3f}" for name in _PROGRESS) for one in figures)
    how = (
        f"Run {found['run']}, asked for by: {found['requested_by']}; recipe `{found['recipe']}`, start "
        f"`{found['start']}`, seed {found['seed']}, {found['labels']} images, data `{found['data_digest']}`."
    )
    verdict = (
        f"Verdict: **{found['verdict']}**, version `{found['version']}`; {found['problems']} labels are on the list of "
        "those that are probably wrong."
    )
    promoted = "\n".join(f"- {one}" for one in story.get("promotion", {}).get("said", ["It was not promoted."]))
    return "\n\n".join(
        ["## Training and gate", how, sides, "\n".join(map(_set, found["locked"])), verdict, reason, promoted]
    )


def _set(row: Mapping[str, Any]) -> str:
    counted = f"{row['images']} images of {row['patients']} patients"
    return f"- locked set `{row['name']}` version {row['version']}: {counted}, digest `{row['digest']}`"


def _tests(story: Story) -> str:
    lines = ["| data | version | AUC | sensitivity | specificity | ECE | admitted |", "|---|---|---|---|---|---|---|"]
    for name, both in story["tests"].items():
        for which in ("champion", "challenger"):
            figures = (both[which][key] for key in ("auc", "sensitivity", "specificity", "ece", "admitted"))
            lines.append(f"| {name} | {which} | {' | '.join(f'{value:.3f}' for value in figures)} |")
        interval = f"{both['difference']:+.4f} [{both['lower']:+.4f}, {both['upper']:+.4f}]"
        lines.append(f"| {name} | difference | {interval} | | | | |")
    return (
        "## Test splits, by which nothing was chosen\n\n" + "\n".join(lines) + "\n\nIntervals: 95 %, whole patients "
        "drawn, the same draws for both versions. Each look is a line of evaluations.csv."
    )


def _earlier(story: Story) -> str:
    """Return what came of trainings before the last one, from the same labels, such as of an earlier recipe."""
    lines = ["## Trainings before it, from the same labels\n"]
    for place, found in enumerate(story["earlier"].get("training", ())):
        looks = story["earlier"].get("tests", [])
        seen = looks[place] if place < len(looks) else {}
        figures = [
            f"{name}: AUC {both['challenger']['auc']:.3f}, difference {both['difference']:+.4f} [{both['lower']:+.4f}, "
            f"{both['upper']:+.4f}]"
            for name, both in seen.items()
        ]
        said = (found["version_row"] or {}).get("reason", found["reason"])
        told = f"{found['verdict']} after {found['minutes']:.1f} min ({said})"
        lines.append(f"- run {found['run']}, asked for by: {found['requested_by']}: {told}. {'; '.join(figures)}")
    return "\n".join(lines)


def _refused(rows: Sequence[dict[str, Any]]) -> list[str]:
    found = challengers.missed(rows)
    return ["Good ones that were refused:\n\n" + "\n".join(f"- {one}" for one in found)] if found else []


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
