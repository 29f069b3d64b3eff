"""Models built from weights: cached between starts, never half-written, never a reason to fail."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
from pathlib import Path

import pytest

from face_det.errors import WeightsError
from face_det.nets import catalogue, model_cache


@pytest.fixture(scope="module")
def model() -> bytes:
    """The detector's model, built here."""
    return model_cache.build_onnx_model("mmod", catalogue.weights_path("mmod"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cache folder that does not exist yet."""
    return tmp_path / "cache" / "face_det"


def never(name: str, weights: Path, part: str = "") -> bytes:
    raise AssertionError("must not be built")


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_builds_once(folder: Path, model: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call builds and caches, the next one reads; building twice gives the same bytes."""
    assert model_cache.load_onnx_model("mmod", folder) == model
    monkeypatch.setattr(model_cache, "build_onnx_model", never)
    assert model_cache.load_onnx_model("mmod", folder) == model


def test_file_is_named_by_weights_and_builder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another builder version reads nothing that this one wrote."""
    model_cache.load_onnx_model("mmod", folder)
    sha256 = hashlib.sha256(catalogue.weights_path("mmod").read_bytes()).hexdigest()
    assert only_file(folder).name == f"mmod-{sha256[:16]}-{model_cache.BUILDER_VERSION}.model"
    monkeypatch.setattr(model_cache, "BUILDER_VERSION", model_cache.BUILDER_VERSION + 1)
    monkeypatch.setattr(model_cache, "build_onnx_model", lambda name, weights, part: b"another")
    assert model_cache.load_onnx_model("mmod", folder) == b"another"


@pytest.mark.parametrize("name", ["mmod", "resnet"])
def test_parts_have_names_of_their_own(
    folder: Path, name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole, its stem and its head are cached side by side; each is read again, and a damaged one is
    rebuilt without the others."""
    pieces = {
        part: model_cache.load_onnx_model(name, folder, part)
        for part in (model_cache.STEM, model_cache.HEAD, "")
    }
    assert len(set(pieces.values())) == 3
    sha256, builder = catalogue.WEIGHTS_CATALOGUE[name].sha256[:16], model_cache.BUILDER_VERSION
    paths = {part: folder / f"{name}-{part}-{sha256}-{builder}.model" for part in ("stem", "head")}
    paths[""] = folder / f"{name}-{sha256}-{builder}.model"
    assert set(folder.iterdir()) == set(paths.values())
    kept = {part: path.read_bytes() for part, path in paths.items()}
    for part in (model_cache.STEM, model_cache.HEAD):
        paths[part].write_bytes(kept[part][:-9] + b"something")
        assert model_cache.load_onnx_model(name, folder, part) == pieces[part]
        assert f"{paths[part]} is damaged and will be built again" in caplog.text
    assert {part: path.read_bytes() for part, path in paths.items()} == kept
    monkeypatch.setattr(model_cache, "build_onnx_model", never)
    assert {part: model_cache.load_onnx_model(name, folder, part) for part in pieces} == pieces


@pytest.mark.parametrize("damage", ["empty", "short", "flipped", "longer", "foreign", "folder"])
def test_damage_is_noticed_and_repaired(
    folder: Path, model: bytes, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Only intact files are used; the next start finds a whole file again."""
    model_cache.load_onnx_model("mmod", folder)
    path = only_file(folder)
    whole = path.read_bytes()
    middle = len(whole) // 2
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        damaged = {
            "empty": b"",
            "short": whole[:-1],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "longer": whole + b"\x00",
            "foreign": model,
        }
        path.write_bytes(damaged[damage])
    with caplog.at_level(logging.INFO):
        assert model_cache.load_onnx_model("mmod", folder) == model
    assert str(path) in caplog.text
    if damage != "folder":
        assert path.read_bytes() == whole
    assert only_file(folder) == path


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, model: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The model is built in memory, and the log tells that it could not be cached, and why."""
    (tmp_path / "file").write_text("no folder")
    with caplog.at_level(logging.INFO):
        for folder in (tmp_path / "file" / "cache", Path("/proc/face_det")):
            assert model_cache.load_onnx_model("mmod", folder) == model
            assert f"{folder}/mmod-" in caplog.text
    assert "cannot be kept (Not a directory)" in caplog.text


def test_a_full_disk_leaves_nothing_behind(
    folder: Path, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the file cannot be put in place, nothing is left of it."""

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert model_cache.load_onnx_model("mmod", folder) == model
    assert list(folder.iterdir()) == []


def test_damaged_weights_are_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cached model does not hide that the weights have changed."""
    model_cache.load_onnx_model("mmod", folder)
    changed = tmp_path / "mmod.dat"
    changed.write_bytes(catalogue.weights_path("mmod").read_bytes() + b"\x00")
    monkeypatch.setattr(catalogue, "weights_path", lambda name: changed)
    with pytest.raises(WeightsError, match="must have sha256"):
        model_cache.load_onnx_model("mmod", folder)


def load_and_hash(folder: str, barrier: object, results: object) -> None:
    """In a process of its own: wait for the others, load, report the hash."""
    barrier.wait()  # type: ignore[attr-defined]
    results.put(hashlib.sha256(model_cache.load_onnx_model("mmod", Path(folder))).hexdigest())  # type: ignore[attr-defined]


@pytest.mark.slow
def test_processes_that_start_at_once_do_not_collide(folder: Path, model: bytes) -> None:
    """Each process gets the whole model; one whole file stays, and no leftovers."""
    context = multiprocessing.get_context("spawn")
    count = 4
    barrier, results = context.Barrier(count), context.Queue()
    processes = [
        context.Process(target=load_and_hash, args=(str(folder), barrier, results)) for _ in range(count)
    ]
    for process in processes:
        process.start()
    found = {results.get(timeout=300) for _ in processes}
    for process in processes:
        process.join(60)
    assert found == {hashlib.sha256(model).hexdigest()}
    assert (
        hashlib.sha256(only_file(folder).read_bytes()).hexdigest()
        == hashlib.sha256(model_cache.MAGIC + hashlib.sha256(model).digest() + model).hexdigest()
    )
