"""What fuzzing found once stays mended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from onnx import checker, helper

from face_det.config import load
from face_det.errors import BadRequest, ConfigError, DataError, WeightsError
from face_det.gallery import quarantine_journal
from face_det.gallery.check import facts
from face_det.nets import opencv_zoo
from face_det.service import audit, wire
from face_det.storage import transaction

DEEP = b"[" * 100_000


def test_facts_within_each_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Brackets by the thousand: passed over like any other damage."""
    (tmp_path / "facts.json").write_bytes(DEEP)
    assert facts.read_facts(tmp_path / "facts.json", "s") == {}
    assert "photos are measured again" in caplog.text


@pytest.mark.parametrize(
    "row", [[{}, 100, "00" * 32], [True, 1, "00" * 32], [1, [], "00" * 32], [1, 1, "00"]]
)
def test_facts_of_other_types(row: list[object], tmp_path: Path) -> None:
    """What is empty is not therefore a number, and signs have a length."""
    (tmp_path / "facts.json").write_text(json.dumps({"settings": "s", "photos": {"ab": row}}))
    assert facts.read_facts(tmp_path / "facts.json", "s") == {}


def within(value: object, depth: int) -> object:
    """So many lists and objects around a value."""
    for number in range(depth):
        value = [value] if number % 2 else {"a": value}
    return value


@pytest.mark.parametrize("where", ["image", "label", "key"])
def test_a_request_within_itself(where: str) -> None:
    """Refused by name before any picture is read, whatever it is within; what is less deep is kept whole."""
    for depth, fits in ((40, True), (wire.MAX_NESTING + 1, False), (900, False)):
        label = {"name": "person", "box": {"xmin": 0, "ymin": 0, "xmax": 9, "ymax": 9}}
        image: dict[object, object] = {"image": "a.jpg", "labels": [label]}
        if where == "image":
            image["more"] = within(1, depth)
        elif where == "label":
            label["more"] = within(1, depth)
        else:
            key: object = 1
            for _ in range(depth):
                key = (key,)
            image[key] = 1
        if fits:
            wire.parse_images([image], 1)
            assert len(wire.render_reply([image], {})) > depth
            continue
        with pytest.raises(BadRequest, match=r"images\[1\]: must be nested at most 64 deep"):
            wire.parse_images([{"image": "b.jpg", "labels": []}, image], 2)


def test_an_audit_log_within_itself(tmp_path: Path) -> None:
    """Such a line is passed over as one that was cut off."""
    (tmp_path / "audit.jsonl").write_bytes(DEEP + b"\n")
    assert audit.AuditLog(tmp_path / "audit.jsonl").entries() == []


def test_a_quarantine_journal_within_itself(tmp_path: Path) -> None:
    """The same in a journal is no line of ours."""
    (tmp_path / "journal").write_bytes(DEEP)
    with pytest.raises(DataError, match="must be a journal of face-det") as caught:
        quarantine_journal.read_journal(tmp_path / "journal")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "content",
    [
        DEEP,
        json.dumps({"id": "x", "folders": {"a\0b": {}}}).encode(),
        json.dumps({"id": "x", "folders": {"a\nb": {}}}).encode(),
        json.dumps({"id": "x", "folders": {"9" * 5000: {}}}).encode(),
        json.dumps({"id": "x", "folders": {"\ud800": {}}}).encode(),
        *(
            json.dumps({"id": "x", "folders": {".": {name: None}}}).encode()
            for name in ("..", "", "\0", "a/b")
        ),
    ],
    ids=["deep", "zero", "line", "long", "surrogate", "up", "nothing", "zero-name", "below"],
)
def test_a_journal_of_changes(content: bytes, tmp_path: Path) -> None:
    """Folders and files that cannot be: refused in a line, and nothing is touched."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / transaction.TRANSACTION_JOURNAL).write_bytes(content)
    with pytest.raises(DataError) as caught:
        transaction.recover_folder(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert [path.name for path in folder.iterdir()] == [transaction.TRANSACTION_JOURNAL]


@pytest.mark.parametrize("key", ["a\nb", "a\u2028b", "\ud800", "k" * 10_000])
def test_keys_that_do_not_fit_on_a_line(key: str, tmp_path: Path) -> None:
    """Unknown, twice there, or beside the section: each fault is a short line that can be printed."""
    name, path = json.dumps(key), tmp_path / "config.json"
    section = f'{{{name}: 1, {name}: 2, "comment": {name}, "faceDetModel": {name}}}'
    path.write_text(f'{{"faceDetServer": {section}, {name}: 1}}')
    with pytest.raises(ConfigError) as caught:
        load.load_config(path, {})
    assert len(caught.value.faults) >= 3
    for fault in caught.value.faults:
        assert fault.isprintable()
        assert len(fault) < 500


def test_a_model_that_one_of_two_readers_takes(tmp_path: Path) -> None:
    """onnx's checker stops reading at the end of a group that never began; its Python half refuses it."""
    node = helper.make_node("Relu", ["data"], ["fc1"])
    values = [helper.make_tensor_value_info(name, 1, [1]) for name in ("data", "fc1")]
    model = helper.make_model(
        helper.make_graph([node], "g", values[:1], values[1:]), opset_imports=[helper.make_opsetid("", 15)]
    )
    content = model.SerializeToString() + b"\x24\x8a"
    checker.check_model(content)
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(WeightsError, match="must hold a network of the OpenCV Zoo"):
        opencv_zoo.build_sface(tmp_path / "net.onnx")
