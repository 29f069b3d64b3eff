"""The parts of docs/performance.md about training and look-up, of what training.py and lookup.py found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tables import table

NAMES = {
    "svm": "support vector machines",
    "xgb": "boosted trees",
    "nearest": "nearest",
    "template": "template",
}
DATA = {"lifelike": "people as far apart as dlib finds them", "sphere": "people in all directions alike"}

TRAINING = """
## Training

The search for the best classifier, beside the original's: on the same encodings and folds, in one run, on
{jobs} cores each. The original's is written anew from what its `train.py` does: every one of 42 machines,
with probabilities, and 20 forests of 600 steps, all on five folds. This project's begins with few
photos, or few steps, and lets only the better candidates go on; it calibrates once. Accuracy is
measured afterwards, in the same way for both, by training with what was found.

{data}

"""

DRAWN = """\
The {photos} encodings of {people} classes are drawn so that they lie as dlib's of a household's camera
do: frames of one visit alike, many of them blurred, some under a wrong name."""

LOOKUP = """
## A face among very many

The nearest of {count:,} enrolled encodings of 128 numbers (four photos a person) to one face, on one
core; {asked} faces in each of {rounds} rounds, half of them enrolled, half strangers. numpy is
|x|^2 - 2 q x in float32 and the least of it. The look-up keeps encodings in float32 and rough copies
of them in bytes; what is found is compared with what measuring all distances in float64 finds.

"""


def targets(training: dict[str, Any], lookup: dict[str, Any]) -> Iterator[tuple[str, str, str, bool | None]]:
    """(label, wanted, measured, whether it was met; None if it was not measured)."""
    for kind in ("svm", "xgb"):
        ours, original = (case(training, kind=kind, who=who) for who in ("ours", "original"))
        ratio = min(ratios(ours, original)) if ours and original else None
        yield _target(f"search, {NAMES[kind]}, against the original's", ratio, 15, "x", at_least=True)
        gain = 100 * (ours["accuracy"] - original["accuracy"]) if ours and original else None
        yield _target(
            f"its accuracy, {NAMES[kind]}, more than the original's", gain, 0, "points", at_least=True
        )
    for kind in ("nearest", "template"):
        ours = case(training, kind=kind, who="ours")
        photos = f"{ours['photos']:,} photos" if ours else "many photos"
        took = ours["seconds"]["median"] if ours else None
        yield _target(f"training of {NAMES[kind]}, {photos}", took, 1, "s", at_least=False)
    for data, label in DATA.items():
        ours = case(lookup, data=data, who="ours")
        took = 1000 * ours["processor_s"] if ours else None
        name = f"a face among {lookup['options']['count']:,}, {label}, of one core's time"
        yield _target(name, took, 15, "ms", at_least=False)


def ratios(ours: dict[str, Any], original: dict[str, Any]) -> tuple[float, float]:
    """How many times longer the original takes: by the clock, and of all cores' time.

    Where others use the machine, the clock is unfair to whoever worked while they did; only one
    core's work at the end is unfair to whoever has more of it. The smaller one counts.
    """
    clock = original["seconds"]["median"] / ours["seconds"]["median"]
    return clock, original["processor_s"] / ours["processor_s"]


def _target(
    label: str, value: float | None, limit: float, unit: str, *, at_least: bool
) -> tuple[str, str, str, bool | None]:
    wanted = f"at {'least' if at_least else 'most'} {limit:g} {unit}"
    if value is None:
        return label, wanted, "not measured", None
    return label, wanted, f"{value:.3g} {unit}", value >= limit if at_least else value <= limit


def training_part(content: dict[str, Any]) -> str:
    """The section about training."""
    first = next(
        (one for one in content["cases"] if one["kind"] in ("svm", "xgb")), {"photos": 0, "people": 0}
    )
    own = f"{first['photos']} encodings of {first['people']} people, from a file."
    data = own if content["options"]["own"] else DRAWN.format_map(first)
    text = TRAINING.format(jobs=content["options"]["jobs"], data=data)
    rows = []
    for one in content["cases"]:
        seconds = one["seconds"]
        rows.append(
            (
                f"{NAMES[one['kind']]}, {one['photos']:,} photos",
                "the original's search" if one["who"] == "original" else "face_det",
                f"{seconds['median']:.3g}",
                f"{one['processor_s']:.3g}",
                "" if one["accuracy"] is None else f"{one['accuracy']:.2%}",
                ", ".join(
                    f"{key} {value:g}" for key, value in one["params"].items() if not isinstance(value, str)
                ),
            )
        )
    heads = ("", "by", "seconds", "of processor time", "accuracy", "found")
    more = "\nHow many times longer the original's takes; the smaller number of the two counts above:\n\n"
    return text + table(heads, rows) + more + "".join(_ratio_lines(content)) + _run(content)


def _ratio_lines(content: dict[str, Any]) -> Iterator[str]:
    for kind in ("svm", "xgb"):
        ours, original = (case(content, kind=kind, who=who) for who in ("ours", "original"))
        if ours and original:
            clock, worked = ratios(ours, original)
            yield f"- {NAMES[kind]}: {clock:.1f} x by the clock, {worked:.1f} x in processor time.\n"


def lookup_part(content: dict[str, Any]) -> str:
    """The section about look-ups."""
    rows = []
    for one in content["cases"]:
        seconds = one["seconds"]
        rows.append(
            (
                DATA[one["data"]],
                "the look-up" if one["who"] == "ours" else "numpy",
                *(f"{1000 * seconds[key]:.3g}" for key in ("median", "q1", "q3")),
                f"{1000 * one['processor_s']:.3g}",
                f"{one['exact']} of {one['checked']}",
                f"{one['build_s']['median']:.2g}",
                f"{one['encodings_mb']:.0f} + {one['more_mb']:.0f}",
            )
        )
    heads = (
        "",
        "by",
        "ms a face",
        "first quartile",
        "third quartile",
        "of processor time",
        "the nearest of all",
        "seconds to build",
        "MB: encodings + more",
    )
    return LOOKUP.format_map(content["options"]) + table(heads, rows) + _run(content)


def case(content: dict[str, Any], **wanted: str) -> dict[str, Any] | None:
    """The case of which all that is so, None if it was not measured."""
    return next((one for one in content["cases"] if wanted.items() <= one.items()), None)


def _run(content: dict[str, Any]) -> str:
    about, load = content["machine"], content["load"]
    failed = [f"{', '.join(one.values())}" for one in content["failed"]]
    return (
        f"\n{about['cpu']}, {about['usable_cores']} of {about['cores']} cores; {content['started']} to "
        f"{content['finished']}; load {load[0]} before, {max(load)} at most.\n"
        + "".join(f"Failed: {one}.\n" for one in failed)
    )
