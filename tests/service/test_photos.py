"""The photos of everybody enrolled: listed, shown, removed, moved, and all of it undone."""

from __future__ import annotations

import io
import json
import shutil
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from face_det.config.load import load_config
from face_det.errors import (
    BadName,
    BadRequest,
    NoFace,
    SeveralFaces,
    UnknownPerson,
    UnknownPhoto,
    UnknownSighting,
)
from face_det.gallery import Gallery
from face_det.service import assembly
from face_det.service.service import Service

pytestmark = pytest.mark.usefixtures("shared_networks")


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


def start(folder: Path, **settings: Any) -> Service:
    """A service whose files all lie in a folder."""
    settings = {"faceDetModel": "hog", "numFaceImgUpsample": 0, **settings}
    (folder / "config.json").write_text(json.dumps({"faceDetServer": settings}))
    return assembly.build_service(load_config(folder / "config.json", {}), remember=True)


@pytest.fixture(scope="module")
def _known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `known` keeps what it made."""
    return tmp_path_factory.mktemp("known")


@pytest.fixture
def known(_known: Path, photos: Mapping[str, Path]) -> Path:
    """A folder in which Obama is enrolled by two photos and Collins by one; not to be changed."""
    if not any(_known.iterdir()):
        service = start(_known)
        service.add_face("Obama", photos["obama"].read_bytes())
        service.add_face("Obama", photos["obama2"].read_bytes())
        service.add_face("Collins", photos["astronaut"].read_bytes())
        for name in ("Obama", "Collins"):
            service.photos.photos(name)
    return _known


@pytest.fixture
def service(known: Path, tmp_path: Path) -> Service:
    """A service of its own, that knows these people."""
    shutil.copytree(known, tmp_path, dirs_exist_ok=True)
    return start(tmp_path)


@pytest.fixture
def asked(known: Path) -> Service:
    """A service for tests that change nothing."""
    return start(known)


def who(service: Service, path: Path) -> str | None:
    """Who it says is in a picture."""
    name: str | None = service.recognize(str(path))[0]["face"]
    return name


def names(service: Service, name: str) -> list[str]:
    """The file names of a person's photos."""
    return [one["photo"] for one in service.photos.photos(name)]


def state(folder: Path) -> dict[str, bytes]:
    """Every file of the dataset, and who is in the encodings, which a change must put back."""
    dataset = folder / "dataset"
    return {
        str(path.relative_to(dataset)): path.read_bytes() for path in dataset.rglob("*") if path.is_file()
    }


def enrolled(service: Service, name: str) -> int:
    """How many of a person's photos are enrolled."""
    return sum(one["state"] == "enrolled" for one in service.photos.photos(name))


def test_a_photo_of_somebody_else_is_told(service: Service, photos: Mapping[str, Path]) -> None:
    """However good it is; once it is where it belongs, nothing is wrong."""
    service.add_face("Obama", photos["obama3"].read_bytes())
    foreign = service.add_face("Obama", photos["biden"].read_bytes())["photo"]
    told = {one["photo"]: one["wrongPerson"] for one in service.photos.photos("Obama")}
    wrong = told.pop(foreign)
    assert wrong["likely"] is None
    assert wrong["why"].startswith("it does not resemble the other photos of Obama: ")
    assert set(told.values()) == {None}
    service.photos.move_photo("Obama", foreign, "Biden")
    assert not any(one["wrongPerson"] for name in ("Obama", "Biden") for one in service.photos.photos(name))


def test_photos_are_described(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """Each with its size, the face that is enrolled and its quality; or the reason why it is left out."""
    folder = tmp_path / "dataset" / "Obama"
    shutil.copy(photos["obama3"], folder / "late.jpg")
    shutil.copy(photos["chelsea"], folder / "cat.png")
    shutil.copy(photos["obama"], folder / "again.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    listed = {one["photo"]: one for one in service.photos.photos("Obama")}
    kept = [one for one in listed.values() if one["state"] == "enrolled"]
    assert len(kept) == 2
    for one in kept:
        assert 0 < one["quality"] <= 1
        assert one["faces"] == [one["faceBox"]]
        assert one["reason"] is None
        assert one["added"] > 1.6e9
    with PIL.Image.open(photos["obama"]) as one, PIL.Image.open(photos["obama2"]) as other:
        assert {(found["width"], found["height"]) for found in kept} == {one.size, other.size}
    assert listed["late.jpg"]["reason"] == "It has not been trained on yet; train to learn it."
    assert listed["cat.png"]["reason"] == "It shows no face that the detector sees."
    assert listed["broken.jpg"]["reason"] == "It cannot be read as a picture."
    assert (listed["broken.jpg"]["width"], listed["broken.jpg"]["faces"]) == (None, [])
    copies = {one["photo"] for one in listed.values() if (one["reason"] or "").startswith("It is a copy of ")}
    assert len(copies) == 1
    with pytest.raises(UnknownPerson, match="nobody is called 'Nobody'"):
        service.photos.photos("Nobody")


def test_photos_are_looked_at_once(
    service: Service, monkeypatch: pytest.MonkeyPatch, photos: Mapping[str, Path]
) -> None:
    """Asking again, and after a restart, runs no network."""
    first = service.photos.photos("Obama")
    engine = type(service._recognizer.engine)

    def fail(*_: object) -> None:
        raise AssertionError("a network ran")

    monkeypatch.setattr(engine, "faces", fail)
    assert service.photos.photos("Obama") == first


def test_a_photo_is_shown(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """As a JPEG, upright, no larger than asked for, also from formats that browsers do not show."""
    folder = tmp_path / "dataset" / "Obama"
    with PIL.Image.open(photos["obama3"]) as picture:
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        picture.rotate(90, expand=True).save(folder / "turned.avif", exif=exif)
        width, height = picture.size
    shown = PIL.Image.open(io.BytesIO(service.photos.photo("Obama", "turned.avif", 200)))
    assert shown.format == "JPEG"
    assert max(shown.size) == 200
    assert (shown.width < shown.height) == (width < height)
    photo = names(service, "Obama")[0]
    face = PIL.Image.open(io.BytesIO(service.photos.photo("Obama", photo, 150, {"face": True})))
    assert max(face.size) <= 150
    assert 0.7 < face.width / face.height < 1.4
    assert max(PIL.Image.open(io.BytesIO(service.photos.photo("Obama", photo, 4096))).size) <= 640


@pytest.mark.parametrize(
    "photo", ["../Collins/1.jpg", "/etc/passwd", "", ".", "..", "\0", "x" * 300, "😀.jpg"]
)
def test_a_photo_is_found_by_its_name_only(asked: Service, photo: str) -> None:
    """A path, or any name that is not listed, leads nowhere."""
    before = asked.people()
    with pytest.raises(UnknownPhoto):
        asked.photos.photo("Obama", photo, 100)
    with pytest.raises(UnknownPhoto):
        asked.photos.delete_photo("Obama", photo)
    assert asked.people() == before


@pytest.mark.parametrize("name", ["../x", "a\0b", "😀", "x" * 300, "", " x"])
def test_a_wrong_name_is_refused(asked: Service, name: str) -> None:
    """By every verb, with the error of a name."""
    for ask in (asked.photos.photos, lambda name: asked.photos.delete_photo(name, "1.jpg")):
        with pytest.raises(BadName):
            ask(name)


@pytest.mark.parametrize("px", [0, -1, 5000, True, "100", None, 1.5])
def test_a_wrong_size_is_refused(asked: Service, px: object) -> None:
    """The message says what it may be."""
    with pytest.raises(BadRequest, match="max_px: must be a number of pixels from 1 to 4096"):
        asked.photos.photo("Obama", "1.jpg", px)


def test_delete_and_undo(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """The next call no longer knows the photo; undone, all is as before, also after a restart."""
    before, (photo, other) = state(tmp_path), names(service, "Obama")
    done = service.photos.delete_photo("Obama", photo)
    assert done["change"] == "photos-4", "after those of three enrolments"
    assert photo in done["what"]
    assert names(service, "Obama") == [other]
    assert enrolled(service, "Obama") == 1
    assert enrolled(start(tmp_path), "Obama") == 1
    again = start(tmp_path)
    undone = again.photos.undo("photos-4")
    assert undone["change"] == "photos-5"
    assert state(tmp_path) == before
    assert enrolled(again, "Obama") == 2
    assert who(again, photos["obama3"]) == "Obama"
    with pytest.raises(BadRequest, match="photos-4 was undone already"):
        again.photos.undo("photos-4")
    with pytest.raises(BadRequest, match="photos-5 undid another one"):
        again.photos.undo("photos-5")
    with pytest.raises(UnknownSighting):
        again.photos.undo("photos-99")
    with pytest.raises(BadRequest, match="an id such as photos-12"):
        again.photos.undo("photo-1")


def test_the_last_photo_takes_its_person_along(
    service: Service, tmp_path: Path, photos: Mapping[str, Path]
) -> None:
    """Nobody is called so then; undo brings both back."""
    (photo,) = names(service, "Collins")
    done = service.photos.delete_photo("Collins", photo)
    assert [one["name"] for one in service.people()] == ["Obama"]
    assert who(service, photos["astronaut"]) != "Collins"
    assert not (tmp_path / "dataset" / "Collins").exists()
    service.photos.undo(done["change"])
    assert who(service, photos["astronaut"]) == "Collins"


def test_undo_overwrites_nothing(service: Service, tmp_path: Path) -> None:
    """A photo that took the name meanwhile stays, and the message says so."""
    photo = names(service, "Obama")[0]
    done = service.photos.delete_photo("Obama", photo)
    (tmp_path / "dataset" / "Obama" / photo).write_bytes(b"\xff\xd8\xff another")
    with pytest.raises(BadRequest, match=f"Obama now has another photo {photo}"):
        service.photos.undo(done["change"])
    assert (tmp_path / "dataset" / "Obama" / photo).read_bytes() == b"\xff\xd8\xff another"


def test_forget_erases_removed_photos(service: Service, tmp_path: Path) -> None:
    """Nothing of the person is left in the journal, and nothing can be undone; others' changes stay."""
    done = service.photos.delete_photo("Obama", names(service, "Obama")[0])
    other = service.photos.delete_photo("Collins", names(service, "Collins")[0])
    removed = service.forget("Obama")
    assert removed["images"] == 2
    with pytest.raises(UnknownSighting):
        service.photos.undo(done["change"])
    left = b"".join(
        path.read_bytes() for path in (tmp_path / "state" / "photos").rglob("*") if path.is_file()
    )
    assert b"Obama" not in left
    service.photos.undo(other["change"])
    assert [one["name"] for one in service.people()] == ["Collins"]
    service.photos.delete_photo("Collins", names(service, "Collins")[0])
    assert service.forget("Collins")["images"] == 1, "also if all that is left of somebody can be put back"


def test_a_photo_that_is_left_out_can_be_removed(
    service: Service, tmp_path: Path, photos: Mapping[str, Path]
) -> None:
    """The model stays as it is, and so it does if a copy of an enrolled photo goes."""
    folder = tmp_path / "dataset" / "Obama"
    shutil.copy(photos["chelsea"], folder / "cat.png")
    shutil.copy(photos["obama"], folder / "again.jpg")
    before = service.status()["model"]["fingerprint"]
    service.photos.delete_photo("Obama", "cat.png")
    service.photos.delete_photo("Obama", "again.jpg")
    assert service.status()["model"]["fingerprint"] == before
    assert enrolled(service, "Obama") == 2


def test_a_photo_moves_to_its_owner(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """Enrolled under the wrong name, it names the right person from the next call on; undone, all is back."""
    before, (photo,) = state(tmp_path), names(service, "Collins")
    done = service.photos.move_photo("Collins", photo, "Eileen")
    assert [one["name"] for one in service.people()] == ["Eileen", "Obama"]
    assert who(service, photos["astronaut"]) == "Eileen"
    assert enrolled(service, "Eileen") == 1
    service.photos.undo(done["change"])
    assert state(tmp_path) == before
    assert who(service, photos["astronaut"]) == "Collins"
    with pytest.raises(BadRequest, match="to: must be another person"):
        service.photos.move_photo("Collins", photo, "Collins")


def test_the_same_photo_twice_is_kept_once(service: Service, tmp_path: Path) -> None:
    """A photo that its new owner has already is not doubled; another one of its name gets a number."""
    (photo,) = names(service, "Collins")
    folder = tmp_path / "dataset" / "Obama"
    shutil.copy(tmp_path / "dataset" / "Collins" / photo, folder / "same.jpg")
    before = state(tmp_path)
    done = service.photos.move_photo("Collins", photo, "Obama")
    assert "same.jpg" in names(service, "Obama")
    assert photo not in names(service, "Obama")
    service.photos.undo(done["change"])
    assert state(tmp_path) == before
    (folder / "same.jpg").unlink()
    (folder / photo).write_bytes(b"\xff\xd8\xff another")
    service.photos.move_photo("Collins", photo, "Obama")
    stem, suffix = photo.split(".")
    assert {photo, f"{stem}-2.{suffix}"} <= {*names(service, "Obama")}


def test_a_person_is_renamed(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """All photos and encodings go along; what was removed before belongs to them still."""
    before = state(tmp_path)
    removed = service.photos.delete_photo("Obama", names(service, "Obama")[0])
    renamed = service.photos.rename_person("Obama", "Barack Obama")
    assert [one["name"] for one in service.people()] == ["Barack Obama", "Collins"]
    assert who(service, photos["obama3"]) == "Barack Obama"
    with pytest.raises(BadRequest, match="undo photos-5 first: Obama was renamed to"):
        service.photos.undo(removed["change"])
    service.photos.undo(renamed["change"])
    service.photos.undo(removed["change"])
    assert state(tmp_path) == before
    assert enrolled(service, "Obama") == 2
    with pytest.raises(BadRequest, match="'Collins' is enrolled already; merge_people"):
        service.photos.rename_person("Obama", "Collins")
    service.photos.delete_photo("Obama", names(service, "Obama")[0])
    service.photos.rename_person("Obama", "Barack")
    assert service.forget("Barack")["images"] == 2, "the photo under the former name is erased, too"


def test_people_are_merged(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """One name answers for both; undone, each has their own photos and encodings again."""
    before = state(tmp_path)
    done = service.photos.merge_people(["Collins", "Obama"], "Obama")
    assert [(one["name"], one["images"]) for one in service.people()] == [("Obama", 3)]
    assert who(service, photos["astronaut"]) == "Obama"
    service.photos.undo(done["change"])
    assert state(tmp_path) == before
    assert (enrolled(service, "Obama"), enrolled(service, "Collins")) == (2, 1)
    assert who(service, photos["astronaut"]) == "Collins"
    with pytest.raises(BadRequest, match="names: must name at least one person other"):
        service.photos.merge_people(["Obama"], "Obama")
    with pytest.raises(UnknownPerson):
        service.photos.merge_people(["Nobody", "Collins"], "Obama")
    assert state(tmp_path) == before


def test_a_person_is_removed(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """Nobody is named so until it is undone; whoever took the name meanwhile stays."""
    before = state(tmp_path)
    done = service.photos.remove_person("Obama")
    assert done["photos"] == 2
    assert who(service, photos["obama3"]) != "Obama"
    service.add_face("Obama", photos["biden"].read_bytes())
    with pytest.raises(BadRequest, match="somebody else is now called 'Obama'"):
        service.photos.undo(done["change"])
    service.photos.remove_person("Obama")
    with pytest.raises(BadRequest, match="undo photos-6 first"):
        service.photos.undo(done["change"])
    service.forget("Collins")
    (gone,) = (tmp_path / "state" / "photos").glob("4/0*")
    gone.unlink()
    with pytest.raises(BadRequest, match="no longer exists"):
        service.photos.undo(done["change"])
    assert {path.split("/")[0] for path in before} == {"Obama", "Collins"}


@pytest.mark.parametrize(
    "name", ["Unknown", "unknown", "unknown-3", "../x", "a\0b", "😀", "x" * 300, "", 3, None]
)
def test_nobody_gets_a_name_that_is_reserved_or_wrong(asked: Service, name: object) -> None:
    """By every verb that gives one; and nothing is changed."""
    before = asked.people()
    verbs: Any = asked.photos
    for ask, given in (
        (verbs.rename_person, ("Obama", name)),
        (verbs.rename_person, (name, "Somebody")),
        (verbs.merge_people, (["Obama"], name)),
        (verbs.merge_people, ([name], "Obama")),
    ):
        with pytest.raises((BadName, BadRequest)):
            ask(*given)
    assert asked.people() == before


def test_an_enrolment_can_be_undone(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """Its answer names the photo and the change; the same photo again is no change."""
    before = state(tmp_path)
    added = service.add_face("Biden", photos["biden"].read_bytes())
    assert names(service, "Biden") == [added["photo"]]
    again = service.add_face("Biden", photos["biden"].read_bytes(), None, {"encoding": True})
    assert again["change"] is None
    assert np.shape(again["encoding"]) == (128,)
    gallery = Gallery.load(tmp_path / "encodings.pickle")
    learnt = gallery.of(service.status()["embedder"])[gallery.names.index("Biden")]
    assert learnt.tolist() == again["encoding"]
    with pytest.raises(BadRequest, match=r"options\.encoding: must be true or false"):
        service.add_face("Biden", photos["biden"].read_bytes(), None, {"encoding": "yes"})
    service.photos.undo(added["change"])
    assert [one["name"] for one in service.people()] == ["Collins", "Obama"]
    assert state(tmp_path) == before


@pytest.mark.slow
def test_one_of_several_faces_is_chosen(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """The face in the given box is enrolled, and nobody else's of the picture, also when trained again."""
    with PIL.Image.open(photos["obama3"]) as one, PIL.Image.open(photos["biden"]) as other:
        both = PIL.Image.new("RGB", (one.width + other.width, max(one.height, other.height)))
        both.paste(one, (0, 0))
        both.paste(other, (one.width, 0))
        right = one.width
    both.save(tmp_path / "both.png")
    with pytest.raises(SeveralFaces):
        service.add_face("Joe", str(tmp_path / "both.png"))
    faces = service.recognize(str(tmp_path / "both.png"))
    (biden,) = [face for face in faces if face["faceBox"]["xmin"] >= right]
    added = service.add_face("Joe", str(tmp_path / "both.png"), None, {"faceBox": biden["faceBox"]})
    assert added["faceBox"]["xmin"] == pytest.approx(biden["faceBox"]["xmin"], abs=3)
    assert who(service, photos["biden"]) == "Joe"
    (kept,) = service.photos.photos("Joe")
    assert (kept["state"], len(kept["faces"])) == ("enrolled", 1)
    service.train({"classifier": "nearest", "quick": True})
    assert (who(service, photos["biden"]), enrolled(service, "Joe")) == ("Joe", 1)
    nowhere = {"xmin": 0, "ymin": 0, "xmax": 5, "ymax": 5}
    with pytest.raises(NoFace, match=r"options\.faceBox: must be the box of a face"):
        service.add_face("Joe", str(tmp_path / "both.png"), None, {"faceBox": nowhere})
    for wrong in (1, {"xmin": 1}, {**nowhere, "xmax": "5"}, {**nowhere, "xmax": float("nan")}):
        with pytest.raises(BadRequest, match=r"options\.faceBox"):
            service.add_face("Joe", str(tmp_path / "both.png"), None, {"faceBox": wrong})


def test_people_have_covers(service: Service, tmp_path: Path) -> None:
    """The best photo, the median quality and who looks alike; what is not looked at yet has no quality."""
    collins, obama = service.photos.people()
    listed = service.photos.photos("Obama")
    best = max(listed, key=lambda one: one["quality"])
    assert obama["cover"] == best["photo"]
    assert obama["quality"] == pytest.approx(statistics.median([one["quality"] for one in listed]))
    assert obama["images"] == 2
    ((other,), (same,)) = (obama["lookAlikes"], collins["lookAlikes"])
    assert (other["name"], same["name"]) == ("Collins", "Obama")
    assert -1 <= other["similarity"] == same["similarity"] < 0.95
    (tmp_path / "encodings.cache.sqlite").unlink()
    (fresh, _) = start(tmp_path).photos.people()
    assert (fresh["cover"], fresh["quality"]) == (names(service, "Collins")[0], None)
    assert service.photos.people() == [collins, obama]


def test_changes_are_listed(service: Service, tmp_path: Path) -> None:
    """The newest first, with what was done and whether it can be undone; no more than asked for."""
    done = service.photos.remove_person("Collins")
    service.photos.undo(done["change"])
    undo, removed, *added = service.photos.changes()
    assert undo["what"] == "Undone: Collins was removed, with 1 photo."
    assert (undo["undone"], undo["undoable"]) == (False, False)
    assert (removed["change"], removed["undone"], removed["undoable"]) == (done["change"], True, False)
    assert [one["undoable"] for one in added] == [True] * 3
    assert undo["time"] >= removed["time"] >= added[0]["time"] > 1.6e9
    assert service.photos.changes(1) == [undo]
    for wrong in (0, 501, "1", True, 1.5):
        with pytest.raises(BadRequest, match="limit: must be a number from 1 to 500"):
            service.photos.changes(wrong)
