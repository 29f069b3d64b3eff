"""Disks that are full, read-only or gone: old files stay whole, and an error says what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import fake_networks
import pytest
from disks import fill

from face_det.cli import encode as cli_encode
from face_det.enrolment.enroller import Enroller
from face_det.errors import Busy, CannotWrite, DataError, TooFewPeople
from face_det.gallery import encode
from face_det.gallery.dataset import remove_person
from face_det.gallery.encoding_cache import EncodingCache
from face_det.gallery.gallery import Gallery
from face_det.media import image
from face_det.storage import transaction

Make = Callable[..., Enroller]
FULL = r"cannot be written: No space left on device; .* make room on that disk and try again"


def contents(folder: Path) -> dict[str, bytes]:
    """Everything that counts; the cache may come and go."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if "cache.sqlite" not in path.name and not path.name.endswith(".lock")
    }


def trained(enroller: Enroller) -> None:
    enroller.train(kind=None, embedder=None, thorough=False, on_progress=lambda *_: None)


@pytest.mark.parametrize("verb", ["add_face", "train", "forget", "encode"])
def test_disk_full(
    verb: str, disk: Callable[[str], Path], enroller: Make, people: Callable[..., None], tmp_path: Path
) -> None:
    """A real file system without room: nothing changes, and with room the same call succeeds."""
    folder = disk("size=2m")
    people(folder, "Ann", "Bob")
    mine = enroller(folder)
    trained(mine)
    before = contents(folder)
    new = fake_networks.picture(tmp_path, 2).read_bytes()
    if verb in ("train", "encode"):
        people(folder, "Ann", "Bob", "Cid")
        before = contents(folder)
    steps: dict[str, Callable[[], object]] = {
        "add_face": lambda: mine.enrol("Cid", new, image.load_image(new)),
        "train": lambda: trained(mine),
        "forget": lambda: mine.forget("Bob"),
        "encode": lambda: transaction.write_atomically(mine.paths.encodings, encoded(mine).dumps()),
    }
    filler = fill(folder)
    with pytest.raises(CannotWrite, match=FULL if verb != "forget" else "make room on that disk"):
        steps[verb]()
    now = contents(folder)
    now.pop("filler")
    assert now == before
    assert mine.load().model is not None
    filler.unlink()
    steps[verb]()
    expected = {"forget": ("Ann",)}.get(verb, ("Ann", "Bob", "Cid"))
    assert Gallery.load(mine.paths.encodings).people == expected


def encoded(enroller: Enroller) -> Gallery:
    engine = enroller.engines.of("both")
    with EncodingCache(enroller.paths.cache) as cache:
        return encode.encode_dataset(
            enroller.paths.dataset,
            cache,
            engine.options,
            jobs=1,
            engine=engine,
            on_progress=lambda *_: None,
        ).gallery


def test_read_only_state_folder(
    disk: Callable[[str], Path], enroller: Make, people: Callable[..., None]
) -> None:
    """The model is served all the same; what would change it is refused with what to do."""
    folder = disk("size=2m")
    people(folder, "Ann", "Bob")
    mine = enroller(folder)
    trained(mine)
    before = contents(folder)
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    assert mine.load().model is not None
    data = fake_networks.picture(folder.parent, 2).read_bytes()
    for attempt in (
        lambda: mine.enrol("Cid", data, image.load_image(data)),
        lambda: mine.forget("Bob"),
        lambda: trained(mine),
    ):
        with pytest.raises(CannotWrite, match=r"Read-only file system.*mount it writable, or choose another"):
            attempt()
    assert contents(folder) == before


def test_several_files_on_a_disk_that_may_only_be_read(disk: Callable[[str], Path]) -> None:
    """Said as with one file: that nothing was begun needs no undoing."""
    folder = disk("ro")
    with pytest.raises(CannotWrite, match="Read-only file system"):
        transaction.replace_files({folder / "a": b"1", folder / "b": None})


def test_dataset_gone(tmp_path: Path, enroller: Make, people: Callable[..., None]) -> None:
    """Unmounted: train and forget refuse, enrolled people stay known; mounted again, both work."""
    people(tmp_path, "Ann", "Bob", "Cid")
    mine = enroller(tmp_path)
    trained(mine)
    before = mine.paths.encodings.read_bytes()
    dataset, away = mine.paths.dataset, tmp_path / "away"
    dataset.rename(away)
    for empty in (False, True):
        if empty:
            dataset.mkdir()  # the mount point
        with pytest.raises(TooFewPeople, match="nothing was changed"):
            trained(mine)
        with pytest.raises(DataError, match=r"is missing or empty; mount it.*nothing was changed"):
            mine.forget("Bob")
        assert mine.load().model is not None
        assert mine.paths.encodings.read_bytes() == before
    data = fake_networks.picture(tmp_path, 3).read_bytes()
    mine.enrol("Dee", data, image.load_image(data))
    before = mine.paths.encodings.read_bytes()
    with pytest.raises(DataError, match="3 of 4 have none; is it mounted"):
        trained(mine)
    assert mine.paths.encodings.read_bytes() == before, "one newcomer does not outweigh the others"
    (dataset / "Dee").rename(away / "Dee")
    dataset.rmdir()
    away.rename(dataset)
    trained(mine)
    assert mine.forget("Bob").images == 3
    assert Gallery.load(mine.paths.encodings).people == ("Ann", "Cid", "Dee")


def test_encode_says_who_is_gone(
    tmp_path: Path, enroller: Make, people: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The command does what it is told, of a dataset that is there; the daemon may train after it."""
    people(tmp_path, "Ann", "Bob", "Cid")
    mine = enroller(tmp_path)
    trained(mine)
    for name in ("Bob", "Cid"):
        remove_person(mine.paths.dataset, name)
    with pytest.raises(DataError, match=r"2 of 3 have none; is it mounted.*run face-det encode"):
        trained(mine)
    options = mine.engines.of("both").options
    cli_encode._encode(mine.paths.dataset, mine.paths.encodings, options, 1, cli_encode._Progress())
    assert "because they have no photo" in capsys.readouterr().err.split("Bob, Cid")[0]
    assert Gallery.load(mine.paths.encodings).people == ("Ann",)
    trained(mine)


def test_lock_held_by_another_process(
    tmp_path: Path, enroller: Make, people: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Busy, with the file's name, and nothing changed; once it lets go, the call succeeds."""
    people(tmp_path, "Ann", "Bob")
    mine = enroller(tmp_path)
    trained(mine)
    before = contents(tmp_path)
    code = (
        "import sys; from pathlib import Path; from face_det.storage import lock_for_update\n"
        "with lock_for_update(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    monkeypatch.setitem(transaction.lock_for_update.__wrapped__.__kwdefaults__, "timeout_s", 0.1)
    command = [sys.executable, "-c", code, str(mine.paths.encodings)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(Busy, match=r"encodings\.pickle: somebody else has been changing it"):
            mine.forget("Bob")
        assert mine.load().model is not None, "readers are not held up"
        assert contents(tmp_path) == before
    assert mine.forget("Bob").images == 3


def test_disk_full_after_the_photo(
    disk: Callable[[str], Path], enroller: Make, people: Callable[..., None], tmp_path: Path
) -> None:
    """Room for the photo and not for the encodings: the photo goes again, it was not learnt."""
    folder = disk("size=2m")
    people(folder, "Ann", "Bob")
    mine = enroller(folder)
    trained(mine)
    before = contents(folder)
    filler = fill(folder)
    with filler.open("r+b") as file:
        file.truncate(filler.stat().st_size - 4096)
    data = fake_networks.picture(tmp_path, 2).read_bytes()
    with pytest.raises(CannotWrite, match=FULL):
        mine.enrol("Cid", data, image.load_image(data))
    filler.unlink()
    assert contents(folder) == before
    assert not (mine.paths.dataset / "Cid").exists()
