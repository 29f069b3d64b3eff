"""The benchmark runs, compares like with like, counts right, and its page says what falls short."""

from __future__ import annotations

import copy
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from benchmark_modules import BENCHMARKS, module
from onnx import TensorProto, helper, numpy_helper

TASKS = ("embed-2", "face", "jitters", "detect-160p-up1", "call", "start", "start-warm", "memory-up1")


@pytest.fixture(scope="module")
def found(photos: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a smoke run finds; this interpreter's dlib stands in for a second one."""
    output = tmp_path_factory.mktemp("benchmark") / "found.json"
    command = [sys.executable, str(BENCHMARKS / "engine.py"), "--quick", "--baseline", sys.executable]
    # A second dlib starts as the first does.
    command += ["--only", f"^(?!start baseline)({'|'.join(TASKS)}) ", "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    content: dict[str, Any] = json.loads(output.read_text("utf-8"))
    return content


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a smoke run of the trainings finds."""
    output = tmp_path_factory.mktemp("training") / "found.json"
    return smoke_run("training.py", "--jobs", "1", "--output", str(output))


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a smoke run of the look-ups finds."""
    output = tmp_path_factory.mktemp("lookup") / "found.json"
    return smoke_run("lookup.py", "--output", str(output))


def smoke_run(script: str, *options: str) -> dict[str, Any]:
    """The findings, which the script writes where the last option says."""
    command = [sys.executable, str(BENCHMARKS / script), "--quick", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    content: dict[str, Any] = json.loads(Path(options[-1]).read_text("utf-8"))
    return content


def case(found: dict[str, Any], task: str, contender: str) -> dict[str, Any]:
    (one,) = [one for one in found["cases"] if (one["task"], one["contender"]) == (task, contender)]
    return dict(one)


@pytest.mark.slow
def test_everybody_does_every_task(found: dict[str, Any]) -> None:
    """Both dlibs and ours, each with its times; what only ours has, only ours."""
    done = {(one["task"], one["contender"]) for one in found["cases"]}
    assert {task for task, _ in done} == set(TASKS)
    for task in ("embed-2", "face", "jitters", "detect-160p-up1", "call"):
        assert {who for other, who in done if other == task} >= {"wheel", "baseline-1", "ours-1-fp32"}
    assert all(one["seconds"]["median"] > 0 for one in found["cases"])
    assert all(one["peak_mb"] > 20 for one in found["cases"] if one["kind"] != "daemon")
    assert found["failed"] == []
    assert found["peak"]["gflop_s"]["median"] > 0


@pytest.mark.slow
def test_all_answer_the_same(found: dict[str, Any]) -> None:
    """Equal boxes, of a face that is there; encodings within 1e-5: the work that is timed is the same."""
    for who in ("baseline-1", "ours-1-fp32", "ours-1-onnxruntime"):
        for task in ("detect-160p-up1", "call"):
            assert case(found, task, who)["against"] == {"contender": "wheel", "equal": True}
            assert case(found, task, who)["faces"] >= 1
        for task in ("embed-2", "face", "jitters"):
            assert case(found, task, who)["against"]["l2_max"] < 1e-5


@pytest.mark.slow
def test_both_searches_are_measured(training: dict[str, Any]) -> None:
    """Ours and the original's, of both kinds, on the same photos; each one's accuracy and times."""
    done = {(one["kind"], one["who"]): one for one in training["cases"]}
    assert set(done) == {
        *itertools.product(("svm", "xgb"), ("ours", "original")),
        ("nearest", "ours"),
        ("template", "ours"),
    }
    for kind, who in itertools.product(("svm", "xgb"), ("ours", "original")):
        one = done[kind, who]
        assert (one["photos"], one["people"]) == (100, 5)
        assert 0.3 < one["accuracy"] <= 1
        assert one["seconds"]["median"] > 0
        assert one["processor_s"] > 0
    assert done["xgb", "original"]["params"].keys() == module("original_search").TREES.keys()
    assert training["failed"] == []


@pytest.mark.slow
def test_the_lookup_finds_the_nearest(lookup: dict[str, Any]) -> None:
    """With every kind of data, what was found is what measuring all distances finds."""
    assert {(one["data"], one["who"]) for one in lookup["cases"]} == set(
        itertools.product(("lifelike", "sphere"), ("ours", "numpy"))
    )
    assert all(one["exact"] == one["checked"] == 10 for one in lookup["cases"] if one["who"] == "ours")
    assert lookup["failed"] == []


def test_drawn_faces_are_lifelike() -> None:
    """Two people are .83 apart, and two photos of somebody .45, give or take what LFW's are."""
    faces = module("lifelike").Faces(7)
    people = faces.people(300)
    one, other = faces.photos(people), faces.photos(people)
    assert np.linalg.norm(one - other, axis=1).mean() == pytest.approx(0.45, abs=0.02)
    assert np.linalg.norm(one - np.roll(other, 1, axis=0), axis=1).mean() == pytest.approx(0.83, abs=0.03)
    assert np.linalg.norm(one, axis=1).mean() == pytest.approx(1.43, abs=0.04)


@pytest.mark.slow
def test_the_page_names_every_baseline(
    found: dict[str, Any], training: dict[str, Any], lookup: dict[str, Any]
) -> None:
    """A ratio stands under the full name of what it is a ratio to."""
    page = module("render").page(found, training, lookup)
    labels = {one["name"]: one["label"] for one in found["contenders"]}
    assert labels["wheel"].startswith("dlib ")
    heads = page.partition("## How many times faster")[2].strip().splitlines()[0]
    for other in ("wheel", "baseline-1"):
        assert f"{labels['ours-1-fp32']} against {labels[other]}" in heads
    assert "A smoke test" in page
    assert "start of the daemon, none cached | at most 10 s | not measured |" in page


@pytest.mark.slow
def test_the_page_tells_with_and_without_kernels(
    found: dict[str, Any], training: dict[str, Any], lookup: dict[str, Any]
) -> None:
    """Ours with its own kernels stands beside ours without, which ONNX Runtime alone runs; a run that
    lacks the second makes a page all the same."""
    page = module("render").page(found, training, lookup)
    labels = {one["name"]: one["label"] for one in found["contenders"]}
    assert labels["ours-1-onnxruntime"] == "face_det, 1 thread, fp32, without its own kernels (onnxruntime)"
    heads, _, row = page.partition("## How many times faster")[2].strip().splitlines()[:3]
    versus = f"{labels['ours-1-fp32']} against {labels['ours-1-onnxruntime']}"
    assert re.fullmatch(r"[\d.]+ x", row.split(" | ")[heads.split(" | ").index(f"{versus} |")].rstrip(" |"))
    older = {
        **found,
        "contenders": [one for one in found["contenders"] if one["name"] != "ours-1-onnxruntime"],
        "cases": [one for one in found["cases"] if one["contender"] != "ours-1-onnxruntime"],
    }
    page = module("render").page(older, training, lookup)
    assert "without its own kernels" not in page
    assert f"{labels['ours-1-fp32']} against {labels['wheel']}" in page


@pytest.mark.slow
@pytest.mark.parametrize(("times", "verdict"), [(10.1, "met"), (9.9, "**not met**")])
def test_the_page_says_what_falls_short(
    found: dict[str, Any], training: dict[str, Any], lookup: dict[str, Any], times: float, verdict: str
) -> None:
    """A target that is missed is in the list of what falls short, and in no other case."""
    content = copy.deepcopy(found)
    for one in content["cases"]:
        if one["task"] == "face":
            one["seconds"]["median"] = {"wheel": times}.get(one["contender"], 1.0)
    page = module("render").page(content, training, lookup)
    rows = [line for line in page.splitlines() if line.startswith("| one face: landmarks")]
    (row,) = [line for line in rows if "| at least 10 x |" in line]
    assert row.endswith(f"| at least 10 x | {times:.3g} x | {verdict} |")
    short = page.partition("### What falls short")[2].partition("\n#")[0]
    assert (f"{times:.3g} x, should be at least 10 x" in short) == (verdict != "met")


def test_operations_are_counted() -> None:
    """A convolution with stride, and a matrix product, against a count by hand; zeros are not useful."""
    filters = np.ones((4, 3, 5, 5), np.float32)
    filters[3] = 0
    nodes = [
        helper.make_node("Conv", ["x", "filters"], ["map"], kernel_shape=[5, 5], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["map"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["y"]),
    ]
    weights = {"filters": filters, "matrix": np.ones((4, 7), np.float32)}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "rows", "columns"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 7])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    work = module("graph_flops").count(model.SerializeToString(), (2, 3, 11, 25))
    # The convolution gives 4 x 11 places for each of 2 images.
    assert work.flop == 2 * (2 * 4 * 11 * 4 * 3 * 25) + 2 * (2 * 4 * 7)
    assert work.useful_flop == 2 * (2 * 4 * 11 * 3 * 3 * 25) + 2 * (2 * 4 * 7)


def test_operations_of_the_networks() -> None:
    """The embedder's 0.54 GFLOP a face, ten for ten; the detector's grow with the picture."""
    of_input = module("graph_flops").of_input
    assert of_input("chips", (1, 150, 150, 3)).flop == pytest.approx(0.542e9, rel=0.01)
    assert of_input("chips", (10, 150, 150, 3)).flop == 10 * of_input("chips", (1, 150, 150, 3)).flop
    small, large = (of_input("tile", (1, 3, side, side)) for side in (400, 800))
    assert 3.9 < large.flop / small.flop < 4.3
    assert 0.9 < large.useful_flop / large.flop < 1


def test_the_schedule_is_fair() -> None:
    """Those that are compared stand side by side, in turns; slow ones in few rounds, or not at all."""
    plan = module("plan")
    scale = plan.Scale()
    contenders = plan.contenders(scale, "python-with-dlib")

    def schedule(**options: Any) -> list[Any]:
        settings = {"rounds": 4, "baseline_rounds": 2, "full": False, "only": None, **options}
        return list(plan.schedule(plan.tasks(scale), contenders, **settings))

    steps = [(number, task.name, contender.name) for number, task, contender in schedule()]
    assert len(steps) == len(set(steps))
    assert [number for number, task, who in steps if (task, who) == ("embed-8", "wheel")] == [0, 2]
    assert [number for number, task, who in steps if (task, who) == ("embed-8", "ours-1-fp32")] == [
        0,
        1,
        2,
        3,
    ]
    order = [(number, task) for number, task, _ in steps]
    assert len(set(order)) == 1 + sum(a != b for a, b in itertools.pairwise(order))
    first = {
        number: next(who for n, task, who in steps if (n, task) == (number, "call")) for number in (0, 2)
    }
    assert first[0] != first[2]
    slow = {contender.kind for _, task, contender in schedule() if task.name == "detect-1080p-up1"}
    assert slow == {"ours"}
    slow = {contender.kind for _, task, contender in schedule(full=True) if task.name == "detect-1080p-up1"}
    assert slow == {"ours", "dlib"}
    only = {(task.name, who.name) for _, task, who in schedule(only="^detect-720p-up0 ours-2")}
    assert only == {("detect-720p-up0", "ours-2-fp32"), ("detect-720p-up0", "ours-2-bf16")}


def test_summaries() -> None:
    """Quartiles, memory's growth, and the largest distance of any encoding."""
    results = module("results")
    assert results.quartiles([5.0, 1.0, 2.0, 4.0, 3.0]) == {"median": 3, "q1": 2, "q3": 4, "n": 5}
    assert results.quartiles([2.0]) == {"median": 2, "q1": 2, "q3": 2, "n": 1}
    held = results.memory([1.0, 2.0, 100.0, 140.0, 500.0, 130.0, 130.0, 131.0])
    assert (held["early_mb"], held["late_mb"], held["growth_mb"], held["most_mb"]) == (120, 130.5, 10.5, 500)
    assert results.agreement([[0.0, 3.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 2.0]]) == {"l2_max": 3}
    assert results.agreement([[1, 2, 3, 4]], [[1, 2, 3, 5]]) == {"equal": False}
    assert results.agreement([], []) == {"equal": True}
    assert results.agreement([], [[1, 2, 3, 4]]) == {"equal": False}


@pytest.mark.slow
def test_what_cannot_be_measured_is_said(tmp_path: Path, photos: dict[str, Path]) -> None:
    """An interpreter without dlib ends the run with one line that says so, and leaves no file."""
    output = tmp_path / "found.json"
    command = [sys.executable, str(BENCHMARKS / "engine.py"), "--quick", "--baseline", "/no/such/python"]
    done = subprocess.run([*command, "--output", str(output)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("benchmark: baseline-1, run by /no/such/python: ")
    assert not output.exists()


def test_the_page_is_made_of_the_kept_run() -> None:
    """docs/performance.md is what render.py makes of the three files of findings."""
    render = module("render")
    kept = [json.loads(path.read_text("utf-8")) for path in (render.RESULTS, render.TRAINING, render.LOOKUP)]
    assert render.PAGE.read_text("utf-8") == render.page(*kept), "run make bench"
    assert not any(content["options"]["quick"] for content in kept)


def test_what_a_processor_cannot_do_is_not_judged() -> None:
    """bf16's targets are for AMX: without it the number stands there, and neither met nor missed."""
    targets, render = module("targets"), module("render")
    content = json.loads(render.RESULTS.read_text("utf-8"))
    (target,) = (one for one in targets.TARGETS if one.label.startswith("CNN detector, 720p, bf16"))
    found = {}
    for flags in ([], ["amx_bf16"]):
        content["machine"]["flags"] = flags
        run = targets.Run(content)
        found[bool(flags)] = target.met(run), render._measured(target, run).endswith(", without amx_bf16")
    value = target.value(targets.Run(content))
    assert found == {False: (None, True), True: (value >= 60, False)}


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "met"), [(14.9, True), (15.1, False)])
def test_the_page_judges_training_and_lookup(
    training: dict[str, Any], lookup: dict[str, Any], seconds: float, met: bool
) -> None:
    """A search 15 times as fast, no less accurate; a face in 15 ms; what was left out is not measured."""
    training, lookup = copy.deepcopy(training), copy.deepcopy(lookup)
    for one in training["cases"]:
        one["seconds"]["median"] = 15 / seconds if one["who"] == "ours" else 15.0
        one["processor_s"] = 1.0 if one["who"] == "ours" else 99.0
        one["accuracy"] = 0.9 if met or one["who"] == "original" else 0.89
    for one in lookup["cases"]:
        one["processor_s"] = seconds / 1000
    training["cases"] = [one for one in training["cases"] if one["kind"] not in ("xgb", "nearest")]
    verdicts = {
        label: verdict for label, _, _, verdict in module("recognition_tables").targets(training, lookup)
    }
    assert verdicts.pop("search, support vector machines, against the original's") is (not met)
    assert verdicts.pop("accuracy gain over the original's, support vector machines") is met
    assert {verdicts.pop(label) for label in list(verdicts) if label.startswith("a face among 70,000")} == {
        met
    }
    assert [verdict for label, verdict in verdicts.items() if "boosted" in label or "nearest" in label] == [
        None
    ] * 3


@pytest.mark.slow
def test_alarm_frames_are_all_saved() -> None:
    """A smoke run: one after the other or many at a time, every person is cut out, and nothing twice."""
    command = [sys.executable, str(BENCHMARKS / "alarm_frames.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    cases = json.loads(done.stdout)["cases"]
    assert [one["pictures"] for one in cases if one["contender"] != "tenth"] == [50, 50, 50, 50]
    assert all(one["processor_s"] > 0 for one in cases)
