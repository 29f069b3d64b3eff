"""The parts of docs/performance.md about training and look-up, made from the results of these benchmarks."""

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
DATA = {
    "lifelike": "people spread as in dlib's encodings",
    "sphere": "people spread evenly in all directions",
}

TRAINING = """
## Training

This compares our search for the best classifier with the original's, on the same encodings and folds, in
one run, on {jobs} cores each. The original's search was rewritten from what its `train.py` does: 42 support
vector machines, with probabilities, and 20 boosted forests of 600 steps, all on five folds. Ours starts with
few photos, or few steps, and continues only with the better candidates; it calibrates once. Accuracy is
measured afterwards, in the same way for both, by training with the parameters found.

{data}

"""

DRAWN = """\
The {photos} encodings of {people} classes are drawn at random to resemble dlib's encodings from a home
camera: frames of one visit are similar, many are blurred, and some have the wrong name."""

LOOKUP = """
## A face among very many

This finds the nearest of {count:,} enrolled encodings of 128 numbers (four photos per person) to one face,
on one core, for {asked} faces in each of {rounds} rounds, half of them enrolled and half strangers. numpy
computes |x|^2 - 2 q x in float32 and takes the minimum. Our look-up keeps encodings in float32 and rough
copies of them in bytes. Results are compared with those of measuring all distances in float64.

"""


def targets(training: dict[str, Any], lookup: dict[str, Any]) -> Iterator[tuple[str, str, str, bool | None]]:
    """(label, wanted, measured, whether it was met; None if it was not measured)."""
    for kind in ("svm", "xgb"):
        ours, original = (case(training, kind=kind, who=who) for who in ("ours", "original"))
        ratio = min(ratios(ours, original)) if ours and original else None
        yield _target(f"search, {NAMES[kind]}, against the original's", ratio, 15, "x", at_least=True)
        gain = 100 * (ours["accuracy"] - original["accuracy"]) if ours and original else None
        yield _target(f"accuracy gain over the original's, {NAMES[kind]}", gain, 0, "points", at_least=True)
    for kind in ("nearest", "template"):
        ours = case(training, kind=kind, who="ours")
        photos = f"{ours['photos']:,} photos" if ours else "many photos"
        took = ours["seconds"]["median"] if ours else None
        yield _target(f"training of {NAMES[kind]}, {photos}", took, 1, "s", at_least=False)
    for data, label in DATA.items():
        ours = case(lookup, data=data, who="ours")
        took = 1000 * ours["processor_s"] if ours else None
        name = f"a face among {lookup['options']['count']:,}, {label}, processor time"
        yield _target(name, took, 15, "ms", at_least=False)


def ratios(ours: dict[str, Any], original: dict[str, Any]) -> tuple[float, float]:
    """Return how many times longer the original takes, by the clock and in processor time over all cores.

    If other programs use the machine, the clock is unfair to the search that ran meanwhile. Processor time
    ignores cores that sit idle at the end of a search. The smaller of the two therefore counts.
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
    """Return the section about training."""
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
    heads = ("", "by", "seconds", "processor seconds", "accuracy", "found")
    more = "\nHow many times longer the original's search takes (the targets use the smaller number):\n\n"
    return text + table(heads, rows) + more + "".join(_ratio_lines(content)) + _run(content)


def _ratio_lines(content: dict[str, Any]) -> Iterator[str]:
    for kind in ("svm", "xgb"):
        ours, original = (case(content, kind=kind, who=who) for who in ("ours", "original"))
        if ours and original:
            clock, worked = ratios(ours, original)
            yield f"- {NAMES[kind]}: {clock:.1f} x by the clock, {worked:.1f} x in processor time.\n"


def lookup_part(content: dict[str, Any]) -> str:
    """Return the section about look-ups."""
    rows = []
    for one in content["cases"]:
        seconds = one["seconds"]
        rows.append(
            (
                DATA[one["data"]],
                "our look-up" if one["who"] == "ours" else "numpy",
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
        "ms per face",
        "first quartile",
        "third quartile",
        "processor ms",
        "truly the nearest",
        "seconds to build",
        "MB: encodings + index",
    )
    return LOOKUP.format_map(content["options"]) + table(heads, rows) + _run(content)


def case(content: dict[str, Any], **wanted: str) -> dict[str, Any] | None:
    """Return the first case with all these values; None if it was not measured."""
    return next((one for one in content["cases"] if wanted.items() <= one.items()), None)


def _run(content: dict[str, Any]) -> str:
    about, load = content["machine"], content["load"]
    failed = [f"{', '.join(one.values())}" for one in content["failed"]]
    return (
        f"\n{about['cpu']}, {about['usable_cores']} of {about['cores']} cores; {content['started']} to "
        f"{content['finished']}; load {load[0]} before, {max(load)} at most.\n"
        + "".join(f"Failed: {one}.\n" for one in failed)
    )
