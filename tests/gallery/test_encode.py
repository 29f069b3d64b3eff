"""Every photo once; what is left out and why; processes that die spoil nothing."""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import shutil
import signal
from pathlib import Path
from typing import Any

import fake_engine
import fake_networks
import numpy as np
import pytest
from fake_engine import Act, picture
from PIL import Image

from face_det.engine.engine import Engine, EngineOptions
from face_det.errors import FaceDetError
from face_det.gallery import encode, encode_pool
from face_det.gallery.encode import EncodeReport
from face_det.gallery.encoding_cache import EncodingCache, OmissionReason
from face_det.gallery.one_face import result_of_faces
from face_det.nets.compute import Compute
from face_det.types import Box, Face, Reason

OPTIONS = EngineOptions(min_face_px=20, focus_threshold=200)
DLIB_OF_1 = fake_networks.dlib_numbers(1)


class Run:
    """encode_dataset over a folder's dataset/; keeps the progress of the last run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.progress: list[tuple[int, int]] = []

    def __call__(
        self, jobs: int = 1, options: EngineOptions = OPTIONS, engine: Engine | None = None
    ) -> EncodeReport:
        """The report."""
        self.progress.clear()
        with EncodingCache(self.folder / "cache") as cache:
            return encode.encode_dataset(
                self.folder / "dataset",
                cache,
                options,
                jobs=jobs,
                on_progress=lambda done, total: self.progress.append((done, total)),
                engine=engine,
            )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs with a fake engine, here and in processes."""
    monkeypatch.setattr(encode_pool, "_start_worker", fake_engine.begin)
    monkeypatch.setattr(encode, "build_engine", fake_engine.build)
    monkeypatch.setenv(fake_engine.MARKER, str(tmp_path / "marker"))
    return Run(tmp_path)


def left_out(report: EncodeReport) -> dict[str, str]:
    return {item.path.name: item.reason.value for item in report.left_out}


def counts(report: EncodeReport) -> tuple[int, int, int]:
    return report.encoded, report.reused, len(report.left_out)


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ([], OmissionReason.NO_FACE),
        ([10], OmissionReason.TOO_SMALL),
        ([10, 12], OmissionReason.TOO_SMALL),
        ([40], None),
        ([40, 10, 10], None),
        ([40, 50], OmissionReason.SEVERAL_FACES),
    ],
)
def test_exactly_one_face_that_is_large_enough(sizes: list[int], reason: OmissionReason | None) -> None:
    """Faces below minFace count neither for nor against a photo."""
    faces = [
        Face(Box(0, 0, size, size), 1.0, 0.0, Reason.TOO_SMALL if size < 20 else None, np.full(128, size))
        for size in sizes
    ]
    outcome = result_of_faces(faces, 250, 250)
    assert outcome.reason is reason
    assert (outcome.encoding is None) is (reason is not None)
    assert reason is not None or outcome.encoding is not None
    if outcome.encoding is not None:
        assert outcome.encoding[0] == 40


def test_a_picture_that_is_too_large_says_so(run: Run, tmp_path: Path) -> None:
    """It can be read, so "bad image" would send people looking for damage."""
    path = tmp_path / "dataset" / "anna" / "wall.png"
    path.parent.mkdir(parents=True)
    Image.new("1", (11_000, 11_000)).save(path)
    assert left_out(run()) == {"wall.png": "too_large"}


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_left_out_and_why(run: Run, tmp_path: Path, jobs: int) -> None:
    """Each photo that is not used is named with its reason; the others are used, blurred ones too."""
    dataset = tmp_path / "dataset"
    picture(dataset / "anna" / "good.png")
    picture(dataset / "anna" / "none.png", faces=0)
    picture(dataset / "bob" / "two.png", faces=2)
    picture(dataset / "bob" / "small.png", size=10)
    (dataset / "bob" / "text.jpg").write_text("hello")
    (dataset / "bob" / "empty.jpg").touch()
    (dataset / "bob" / "lost.jpg").symlink_to("nowhere.jpg")
    cut = picture(dataset / "bob" / "cut.png")
    cut.write_bytes(cut.read_bytes()[:60])
    report = run(jobs)
    assert left_out(report) == {
        "none.png": "no_face",
        "two.png": "several_faces",
        "small.png": "too_small",
        "text.jpg": "bad_image",
        "empty.jpg": "bad_image",
        "lost.jpg": "bad_image",
        "cut.png": "bad_image",
    }
    assert report.gallery.names == ("anna",)
    assert [dataclasses.astuple(tally) for tally in report.people] == [("anna", 1, 0, 1), ("bob", 0, 0, 6)]
    assert counts(report) == (1, 0, 7)
    assert run.progress[-1] == (8, 8)


def test_only_new_and_changed_photos_are_looked_at(run: Run, tmp_path: Path) -> None:
    """By content: a renamed or copied photo is known, a changed one is not, a removed one is gone."""
    dataset = tmp_path / "dataset"
    for seed in range(4):
        picture(dataset / "anna" / f"{seed}.png", seed=seed)
    picture(dataset / "bob" / "none.png", faces=0)
    engine = fake_engine.build(OPTIONS)
    looked: Any = engine._detector
    assert counts(run(engine=engine)) == (4, 0, 1)
    assert looked.looked_at == 5
    assert counts(run(engine=engine)) == (0, 4, 1)
    assert looked.looked_at == 5
    (dataset / "anna" / "0.png").rename(dataset / "anna" / "renamed.png")
    shutil.copy(dataset / "anna" / "1.png", dataset / "bob" / "copied.png")
    picture(dataset / "anna" / "2.png", seed=99)
    (dataset / "anna" / "3.png").unlink()
    report = run(engine=engine)
    assert looked.looked_at == 6
    assert counts(report) == (1, 3, 1)
    assert report.gallery.names == ("anna", "anna", "anna", "bob")


def test_removed_photos_are_forgotten(run: Run, tmp_path: Path) -> None:
    """What was deleted from the dataset leaves the cache with the next run."""
    path = picture(tmp_path / "dataset" / "anna" / "1.png", seed=1)
    picture(tmp_path / "dataset" / "anna" / "2.png", seed=2)
    run()
    path.unlink()
    run()
    picture(path, seed=1)
    assert counts(run()) == (1, 1, 0)


def test_same_content_is_encoded_once(run: Run, tmp_path: Path) -> None:
    """Every photo has its place in the gallery, but one look is enough for copies."""
    for name in ("anna/1.png", "anna/2.png", "bob/3.png"):
        picture(tmp_path / "dataset" / name, seed=5)
    engine = fake_engine.build(OPTIONS)
    report = run(engine=engine)
    looked: Any = engine._detector
    assert looked.looked_at == 1
    assert counts(report) == (1, 2, 0)
    assert report.gallery.names == ("anna", "anna", "bob")
    assert run.progress == [(0, 3), (3, 3)]


@pytest.mark.parametrize(
    "change", [{"detector": "hog"}, {"upsample": 2}, {"jitters": 3}, {"min_face_px": 30.0}]
)
def test_other_settings_encode_again(run: Run, tmp_path: Path, change: dict[str, Any]) -> None:
    """What an outcome depends on is part of its key; going back finds the old ones."""
    picture(tmp_path / "dataset" / "anna" / "1.png")
    run()
    assert counts(run(options=dataclasses.replace(OPTIONS, **change))) == (1, 0, 0)
    assert counts(run()) == (0, 1, 0)


def test_other_weights_encode_again(run: Run, tmp_path: Path) -> None:
    """Encodings of two networks are never mixed."""
    picture(tmp_path / "dataset" / "anna" / "1.png")
    run()
    other = Engine(fake_engine.FakeDetector(), fake_engine.FakeEmbedder("fake-2"), OPTIONS)
    assert counts(run(engine=other)) == (1, 0, 0)


def test_encodings_of_both_embedders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """256 numbers a photo, of which the gallery serves each half; known ones are not computed again."""
    fake_networks.install(monkeypatch)
    dataset = tmp_path / "dataset"
    for person in range(2):
        fake_networks.picture(dataset / f"p{person}", person)
    run, options = Run(tmp_path), dataclasses.replace(OPTIONS, embedder="both")
    assert counts(run(options=options)) == (2, 0, 0)
    report = run(options=options)
    assert counts(report) == (0, 2, 0)
    gallery = report.gallery
    assert np.array_equal(gallery.of("dlib_resnet"), np.vstack([fake_networks.dlib_numbers(0), DLIB_OF_1]))
    assert np.array_equal(gallery.of("sface")[1:], fake_networks.sface_numbers(1))
    assert gallery.fingerprint_of("both") == fake_networks.BOTH
    alone = run(options=OPTIONS)
    assert counts(alone) == (2, 0, 0)
    assert alone.gallery.embedders == ("dlib_resnet",)
    assert np.array_equal(alone.gallery.encodings, gallery.encodings)


@pytest.mark.parametrize("change", [{"focus_threshold": 7.0}, {"compute": Compute(threads=4)}])
def test_what_does_not_matter_does_not_encode_again(run: Run, tmp_path: Path, change: dict[str, Any]) -> None:
    """The daemon's focus gate and threads have no part in an encoding."""
    picture(tmp_path / "dataset" / "anna" / "1.png")
    run()
    assert counts(run(options=dataclasses.replace(OPTIONS, **change))) == (0, 1, 0)


def test_order_does_not_depend_on_the_processes(run: Run, tmp_path: Path) -> None:
    """One process or several: the same gallery, by name and path."""
    for seed in range(12):
        picture(tmp_path / "dataset" / f"p{seed % 3}" / f"{seed:02}.png", seed=seed)
    one = run(1)
    (tmp_path / "cache").unlink()
    several = run(3)
    assert one.gallery.dumps() == several.gallery.dumps()
    assert one.gallery.names == ("p0",) * 4 + ("p1",) * 4 + ("p2",) * 4
    assert one.encoded == several.encoded == 12


def test_no_photos(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to do needs no network."""
    monkeypatch.setattr(encode, "build_engine", None)
    assert counts(run()) == (0, 0, 0)
    (tmp_path / "dataset" / "anna").mkdir(parents=True)
    assert counts(run()) == (0, 0, 0)


@pytest.mark.slow
def test_picture_that_kills_its_process(run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is tried twice and left out; the rest of the batch is encoded; no process remains."""
    for seed in range(10):
        act = Act.CRASH if seed == 4 else Act.NOTHING
        picture(tmp_path / "dataset" / "anna" / f"{seed}.png", seed=seed, act=act)
    report = run(2)
    assert left_out(report) == {"4.png": "bad_image"}
    assert report.encoded == 9
    assert "4.png: killed the process that was encoding it, twice" in caplog.text
    assert multiprocessing.active_children() == []
    # It may not have been the picture's fault: the next run tries again.
    picture(tmp_path / "dataset" / "anna" / "4.png", seed=4)
    assert counts(run(2)) == (1, 9, 0)


def test_process_that_dies_once(run: Run, tmp_path: Path) -> None:
    """A process that was ended for another's memory costs nothing but time."""
    for seed in range(6):
        act = Act.CRASH_ONCE if seed == 2 else Act.NOTHING
        picture(tmp_path / "dataset" / "anna" / f"{seed}.png", seed=seed, act=act)
    assert counts(run(2)) == (6, 0, 0)
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_network_that_raises(run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture, jobs: int) -> None:
    """One picture that a network cannot take is left out, and tried again the next time."""
    picture(tmp_path / "dataset" / "anna" / "1.png")
    picture(tmp_path / "dataset" / "anna" / "2.png", act=Act.RAISE)
    with caplog.at_level(logging.WARNING):
        assert left_out(run(jobs)) == {"2.png": "bad_image"}
    with EncodingCache(tmp_path / "cache") as cache:
        assert cache._connection.execute("SELECT count(*) FROM photos").fetchone() == (1,)


def test_processes_that_cannot_start(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If every process dies at once, the photos are not blamed for it."""
    picture(tmp_path / "dataset" / "anna" / "1.png")
    monkeypatch.setattr(encode_pool, "_start_worker", fake_engine.begin_and_die)
    with pytest.raises(FaceDetError, match="worker processes die as soon as they start"):
        run(2)


@pytest.mark.parametrize("jobs", [1, 2])
def test_stopping_keeps_what_is_done(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    """Ctrl-C in the middle: no process remains, and the next run goes on from there."""
    for seed in range(8):
        picture(tmp_path / "dataset" / "anna" / f"{seed}.png", seed=seed)
    put, done = EncodingCache.put, 0

    def interrupted(self: EncodingCache, *arguments: Any) -> None:
        nonlocal done
        put(self, *arguments)
        done += 1
        if done == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(EncodingCache, "put", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(jobs)
    assert multiprocessing.active_children() == []
    assert counts(run(jobs)) == (5, 3, 0)


def test_stopping_does_not_wait_for_a_picture(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture that takes for ever is given up in the middle."""
    picture(tmp_path / "dataset" / "anna" / "1.png", act=Act.HANG)
    picture(tmp_path / "dataset" / "anna" / "2.png")

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(EncodingCache, "put", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(2)
    assert multiprocessing.active_children() == []


def test_processes_leave_ctrl_c_to_us(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal sends it to all; from their first moment on, processes of the pool do not take it."""
    for seed in range(4):
        picture(tmp_path / "dataset" / "anna" / f"{seed}.png", seed=seed)
    masks = []

    def look(*_: Any) -> None:
        for process in multiprocessing.active_children():
            status = Path(f"/proc/{process.pid}/status").read_text()
            masks.append(int(status.split("SigBlk:")[1].split()[0], 16))

    monkeypatch.setattr(EncodingCache, "put", look)
    run(2)
    assert masks
    assert all(mask & 1 << (signal.SIGINT - 1) for mask in masks)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
