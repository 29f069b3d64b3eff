"""The benchmark of load notices wrong answers, and its table is what the page shows."""

from __future__ import annotations

import json
from pathlib import Path

from benchmark_modules import BENCHMARKS, module

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def test_a_wrong_answer_is_noticed() -> None:
    """Another order, another id, another face, one too few: each is wrong."""
    calls = module("load_calls").Calls({"dog": "d", "noise": "n"})
    calls._expected = {"dog": {"name": "dog"}, "noise": {"name": "person", "face": None}}
    right = [
        {"image": "d", "labels": [{"id": "7/0", "name": "dog"}]},
        {"image": "n", "labels": [{"id": "7/1", "name": "person", "face": None}]},
    ]
    assert calls._right("7", ("dog", "noise"), right)
    assert not calls._right("8", ("dog", "noise"), right)
    assert not calls._right("7", ("dog", "noise"), right[::-1])
    assert not calls._right("7", ("dog", "noise"), right[:1])
    right[1]["labels"][0]["face"] = "Ann"
    assert not calls._right("7", ("dog", "noise"), right)


def test_the_page_shows_what_was_measured() -> None:
    """docs/reliability.md holds the tables of benchmarks/load.json, which is no smoke test."""
    render = module("render_load")
    measured = json.loads((BENCHMARKS / "load.json").read_text("utf-8"))
    assert not measured["load"]["quick"]
    assert not measured["kill"]["quick"]
    assert render.section(measured) in PAGE.read_text("utf-8")
    for part in measured.values():
        part["quick"] = True
    assert "smoke test" in render.section(measured)
