"""Voices beside photos: recognised, enrolled, moved, forgotten and backed up with the person."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import speech
from speech import CARDS, FOLDER, READER, samples_of, write_recording

from face_det.config.load import load_config
from face_det.errors import (
    BadName,
    BadRequest,
    NoVoice,
    PhotoOfAnother,
    SightingsOff,
    SoundError,
    UnknownPerson,
    UnknownPhoto,
    WeightsError,
)
from face_det.service import Backups, Restores, assembly, voices
from face_det.service.service import Service
from face_det.service.voice_networks import VoiceNetworks
from face_det.voices import read_voices

pytestmark = [
    pytest.mark.usefixtures("shared_networks"),
    pytest.mark.skipif(speech.missing() is not None, reason=str(speech.missing())),
]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> VoiceNetworks:
    """The networks of the first service, for all of them."""
    networks = start(tmp_path_factory.mktemp("first")).voices.networks
    networks.listener()
    return networks


def start(folder: Path, loaded: VoiceNetworks | None = None, **more: Any) -> Service:
    """A service whose files all lie in a folder."""
    settings = {"faceDetModel": "hog", "numFaceImgUpsample": 0, **more}
    (folder / "config.json").write_text(json.dumps({"faceDetServer": settings}))
    service = assembly.build_service(load_config(folder / "config.json", {}), remember=True)
    if loaded is not None:
        service.voices.networks.share(loaded)
    return service


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, loaded: VoiceNetworks) -> Path:
    """A folder in which two people are enrolled by three recordings each; not to be changed."""
    folder = tmp_path_factory.mktemp("known")
    service = start(folder, loaded)
    for name, recordings in (("Reader", READER[:3]), ("Cards", CARDS[1:4])):
        for path in recordings:
            service.voices.add_voice(name, path.read_bytes())
    return folder


@pytest.fixture
def service(known: Path, tmp_path: Path, loaded: VoiceNetworks) -> Service:
    """A service that knows both."""
    shutil.copytree(known, tmp_path, dirs_exist_ok=True)
    return start(tmp_path, loaded)


def who(service: Service, path: Path) -> list[str | None]:
    """Whom it hears."""
    return [one["voice"] for one in service.voices.recognize_voice(path.read_bytes())["segments"]]


def rows(folder: Path) -> dict[str, str]:
    """Whose each encoded recording is."""
    found = read_voices(folder / "voice_encodings.pickle")
    return {} if found is None else {row.file: row.name for row in found.rows}


def files(service: Service, name: str) -> list[str]:
    """The recordings that count."""
    listed = service.voices.recordings(name)
    return [one["recording"] for one in listed if one["state"] == "enrolled"]


def test_a_voice_is_known_from_the_next_call_on(tmp_path: Path, loaded: VoiceNetworks) -> None:
    """By bytes and by path; before, nobody is known; strangers stay that; a voice alone makes a person."""
    service = start(tmp_path, loaded)
    (segment,) = service.voices.recognize_voice(READER[3].read_bytes())["segments"]
    assert (segment["voice"], segment["voiceReason"]) == (None, "unrecognised")
    added = [service.voices.add_voice("Reader", path.read_bytes()) for path in READER[:3]]
    assert [one["recordings"] for one in added] == [1, 2, 3]
    assert added[2]["change"] == "photos-3"
    service.voices.add_voice("Cards", str(CARDS[4]))
    answer = service.voices.recognize_voice(str(READER[3]))
    assert [one["voice"] for one in answer["segments"]] == ["Reader"]
    assert (answer["reason"], answer["durationS"]) == (
        None,
        pytest.approx(len(samples_of(READER[3])) / 16000, abs=0.1),
    )
    stranger = write_recording(tmp_path / "x.wav", np.fromfile(FOLDER / "goforward.raw", "<i2") / 32768)
    assert who(service, stranger) in ([None], ["Unknown"])
    assert [(one["name"], one["images"], one["recordings"]) for one in service.photos.people()] == [
        ("Cards", 0, 1),
        ("Reader", 0, 3),
    ]
    assert who(start(tmp_path, loaded), READER[4]) == ["Reader"]


def test_the_same_recording_counts_once(service: Service, tmp_path: Path) -> None:
    """It changes nothing to add it again, and it cannot be another person's."""
    before = rows(tmp_path)
    again = service.voices.add_voice("Reader", READER[0].read_bytes())
    assert (again["change"], again["recordings"]) == (None, 3)
    with pytest.raises(PhotoOfAnother, match="is Reader's recording"):
        service.voices.add_voice("Cards", READER[0].read_bytes())
    assert rows(tmp_path) == before


def test_what_is_no_voice_is_refused_and_changes_nothing(service: Service, tmp_path: Path) -> None:
    """Each with its reason, in one line that names the recording as the caller did."""
    quiet = write_recording(tmp_path / "quiet.wav", np.zeros(32000))
    both = np.concatenate([samples_of(READER[3]), np.zeros(8000), samples_of(CARDS[4])])
    wrong: list[tuple[type[Exception], str, bytes | str]] = [
        (NoVoice, "bytes: must hold a second or more of one person's speech, got nobody", quiet.read_bytes()),
        (NoVoice, "got less than a second", CARDS[0].read_bytes()),
        (NoVoice, "got several people", str(write_recording(tmp_path / "both.wav", both))),
        (SoundError, "^bytes: ", b"Hello"),
        (SoundError, "^bytes: ", b""),
        (SoundError, f"^{tmp_path}/none.wav: file not found", f"{tmp_path}/none.wav"),
        (SoundError, "must be a recording, got a path into", "/proc/self/mem"),
    ]
    before = rows(tmp_path), sorted(tmp_path.rglob("dataset/**"))
    for kind, said, audio in wrong:
        with pytest.raises(kind, match=said) as error:
            service.voices.add_voice("Reader", audio)
        assert "/proc/self/fd" not in str(error.value)
    assert service.voices.recognize_voice(quiet.read_bytes())["reason"] == "no_speech"
    with pytest.raises(BadName):
        service.voices.add_voice("../x", READER[3].read_bytes())
    with pytest.raises(BadRequest, match="audio: must be a path or the bytes of a recording, got int"):
        service.voices.recognize_voice(3)
    with pytest.raises(BadRequest, match=r"options\.x"):
        service.voices.recognize_voice(b"", {"x": 1})
    assert (rows(tmp_path), sorted(tmp_path.rglob("dataset/**"))) == before


def test_long_recordings_end_in_time(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limits a recording is refused as soon as they are passed, and says what to do."""
    monkeypatch.setattr(voices, "MAX_RECOGNIZED_S", 6.0)
    monkeypatch.setattr(voices, "MAX_ENROLLED_S", 5.0)
    long = write_recording(tmp_path / "long.flac", np.tile(samples_of(READER[3]), 3))
    with pytest.raises(SoundError, match=r"bytes: must last at most 6 s, got more; cut it, or run"):
        service.voices.recognize_voice(long.read_bytes())
    with pytest.raises(SoundError, match=r"must last at most 5 s"):
        service.voices.add_voice("Reader", str(long))


def test_other_formats_are_stored_as_their_sound(service: Service, tmp_path: Path) -> None:
    """What few programs play is kept as FLAC, and what is asked for is what was stored."""
    odd = write_recording(tmp_path / "odd.au", samples_of(READER[3]), 16000)
    added = service.voices.add_voice("Reader", odd.read_bytes())
    assert added["recording"].endswith(".flac")
    assert service.voices.recording("Reader", added["recording"])[:4] == b"fLaC"
    assert service.voices.add_voice("Reader", odd.read_bytes())["change"] is None
    wav = service.voices.add_voice("Reader", READER[4].read_bytes())["recording"]
    assert service.voices.recording("Reader", wav) == READER[4].read_bytes()
    with pytest.raises(UnknownPhoto):
        service.voices.recording("Reader", f"../Cards/{files(service, 'Cards')[0]}")
    with pytest.raises(UnknownPerson):
        service.voices.recordings("Nobody")


def test_a_recording_is_removed_and_put_back(service: Service, tmp_path: Path) -> None:
    """Removed, it no longer counts; an undo brings it back, encoded, and an added one goes by an undo."""
    before, first = rows(tmp_path), files(service, "Reader")[0]
    done = service.voices.delete_recording("Reader", first)
    assert (done["photos"], done["recordings"]) == (0, 1)
    assert done["what"] == f"The recording {first} of Reader was removed."
    assert rows(tmp_path) == {place: name for place, name in before.items() if place != f"Reader/{first}"}
    service.photos.undo(done["change"])
    assert rows(tmp_path) == before
    added = service.voices.add_voice("Reader", READER[3].read_bytes())
    service.photos.undo(added["change"])
    assert rows(tmp_path) == before
    assert not (tmp_path / "dataset/Reader" / added["recording"]).exists()


def test_a_person_keeps_the_voice_by_another_name(service: Service, tmp_path: Path) -> None:
    """Renamed, merged, removed, and all of it undone: the model answers with the name of the moment."""
    before = rows(tmp_path)
    renamed = service.photos.rename_person("Reader", "Anna")
    assert renamed["recordings"] == 3
    assert who(service, READER[3]) == ["Anna"]
    with pytest.raises(BadRequest, match="is enrolled already"):
        service.photos.rename_person("Cards", "Anna")
    service.photos.undo(renamed["change"])
    assert rows(tmp_path) == before
    merged = service.photos.merge_people(["Cards"], "Reader")
    assert {*rows(tmp_path).values()} == {"Reader"}
    assert len(rows(tmp_path)) == 6
    service.photos.undo(merged["change"])
    assert rows(tmp_path) == before
    removed = service.photos.remove_person("Reader")
    assert removed["what"] == "Reader was removed, with 0 photos and 3 recordings."
    assert who(service, READER[3]) != ["Reader"]
    service.photos.remove_person("Cards")
    assert not (tmp_path / "voice_recognizer.pickle").exists(), "nobody is known by voice"
    service.photos.undo(removed["change"])
    assert who(service, READER[3]) == ["Reader"]
    assert {*rows(tmp_path).values()} == {"Reader"}


def test_nothing_is_left_of_a_forgotten_voice(service: Service, tmp_path: Path) -> None:
    """Neither the name nor an encoding nor a recording in any file, copies and removed ones included."""
    found = read_voices(tmp_path / "voice_encodings.pickle")
    assert found is not None
    marks = [row.encoding[:4].tobytes() for row in found.rows if row.name == "Reader"]
    marks += [path.read_bytes()[1000:1100] for path in READER[:3]] + [b"Reader"]
    shutil.copy(tmp_path / "voice_encodings.pickle", tmp_path / "voice_encodings.pickle.bak")
    service.voices.delete_recording("Reader", files(service, "Reader")[0])

    def traces() -> list[Path]:
        kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "config.json"]
        return [path for path in kept if any(mark in path.read_bytes() for mark in marks)]

    assert len(traces()) >= 5
    removed = service.forget("Reader")
    assert (removed["images"], removed["recordings"]) == (0, 2)
    assert traces() == []
    assert {*rows(tmp_path).values()} == {"Cards"}
    assert who(service, READER[3]) in ([None], ["Unknown"])
    with pytest.raises(UnknownPerson):
        service.forget("Reader")
    service.forget("Cards")
    assert not [*tmp_path.glob("voice_*")]


@pytest.mark.parametrize("damage", ["unreadable", "only a model"])
def test_files_that_may_hold_the_forgotten_go(service: Service, tmp_path: Path, damage: str) -> None:
    """If nobody can tell what a file holds, or make a model without the person, it is removed."""
    if damage == "unreadable":
        (tmp_path / "voice_encodings.pickle").write_bytes(b"damaged")
    else:
        (tmp_path / "voice_encodings.pickle").unlink()
    service.forget("Reader")
    assert not [*tmp_path.glob("voice_*")]
    assert (tmp_path / "dataset/Cards").is_dir()


def test_whoever_has_photos_too_keeps_the_recordings(
    service: Service, small_photos: dict[str, Path], tmp_path: Path
) -> None:
    """One person, one name: a photo that goes takes no recording along, and all of it is exported."""
    service.add_face("Reader", small_photos["obama"].read_bytes())
    (person,) = [one for one in service.photos.people() if one["name"] == "Reader"]
    assert (person["images"], person["recordings"]) == (1, 3)
    archive = zipfile.ZipFile(io.BytesIO(service.export("Reader")))
    assert sum(name.startswith("recordings/") for name in archive.namelist()) == 3
    assert len(json.loads(archive.read("voices.json"))[0]["encoding"]) == 192
    photo = next((tmp_path / "dataset/Reader").glob("*.jpg"))
    enroller = service.access.enroller
    service.access.use(enroller.withdraw("Reader", [photo.name]))
    assert len(files(service, "Reader")) == 3
    assert who(service, READER[3]) == ["Reader"]


def test_backups_hold_voices(service: Service, tmp_path: Path, loaded: VoiceNetworks) -> None:
    """Restored elsewhere, they answer as before; whoever came meanwhile is gone, with files and model."""
    (tmp_path / "other").mkdir()
    other = start(tmp_path / "other", loaded)
    state = tmp_path / "other" / "state"
    backups = Backups(service.access, tmp_path / "state/backups", {})
    made = (tmp_path / "state/backups" / f"{backups.backup()['id']}.zip").read_bytes()
    other.voices.add_voice("Later", CARDS[4].read_bytes())
    there = Backups(other.access, state / "backups", {})
    restores = Restores(other.access, there, state / "settings.json", state)
    restores.write_restore("an-archive", 0, made)
    done = restores.restore("an-archive")
    assert (done["people"], done["photos"], done["recordings"]) == (2, 0, 6)
    assert rows(tmp_path / "other") == rows(tmp_path)
    assert who(other, READER[3]) == ["Reader"]
    assert not (tmp_path / "other/dataset/Later").exists()
    assert restores.clear()["recordings"] == 6
    assert not [*(tmp_path / "other").glob("voice_*"), *(tmp_path / "other/dataset").glob("*/*")]
    with zipfile.ZipFile(io.BytesIO(made)) as source, zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        for name in source.namelist():
            bad.writestr(name, b"bad" if name == "voice_encodings.pickle" else source.read(name))
    restores.write_restore("a-bad-archive", 0, (tmp_path / "bad.zip").read_bytes())
    with pytest.raises(BadRequest, match="sha256"):
        restores.restore("a-bad-archive")


def test_who_is_heard_near_a_camera_is_an_event(tmp_path: Path, loaded: VoiceNetworks, known: Path) -> None:
    """Once for each person and recording, strangers as one; without a camera, or if not wanted, nothing."""
    shutil.copytree(known, tmp_path, dirs_exist_ok=True)
    service = start(tmp_path, loaded, sightings={})
    memory = service.memory
    assert memory is not None
    pause = np.zeros(12000)
    stranger = np.fromfile(FOLDER / "goforward.raw", "<i2") / 32768
    spoken = [samples_of(READER[3]), pause, samples_of(CARDS[4]), pause, samples_of(READER[4])]
    sound = write_recording(tmp_path / "door.flac", np.concatenate([*spoken, np.zeros(64000), stranger]))
    for options in (None, {"camera": "door", "remember": False}, {"time": 1e9}):
        service.voices.recognize_voice(str(sound), options)
    memory.store.flush()
    assert service.voices.heard() == []
    answer = service.voices.recognize_voice(str(sound), {"camera": "door", "time": 1e9})
    memory.store.flush()
    heard = service.voices.heard()
    assert sorted(str(one["name"]) for one in heard) == ["Cards", "None", "Reader"]
    reader = next(one for one in heard if one["name"] == "Reader")
    assert (reader["type"], reader["camera"], reader["outcome"], reader["visit"]) == (
        "heard",
        "door",
        "known",
        None,
    )
    begun = {1e9 + one["begin"] for one in answer["segments"] if one["voice"] == "Reader"}
    assert reader["time"] in begun
    assert reader["speech"] > 2
    assert service.voices.heard({"name": "Cards", "limit": 1})[0]["name"] == "Cards"
    assert service.voices.heard({"camera": "garden"}) == []
    assert memory.sightings()["items"] == [], "nobody was seen"
    for wrong in ({"camera": 3}, {"remember": "no"}, {"time": -1}):
        with pytest.raises(BadRequest, match=r"options\."):
            service.voices.recognize_voice(str(sound), wrong)
    with pytest.raises(BadRequest, match=r"query\.limit"):
        service.voices.heard({"limit": 0})
    archive = zipfile.ZipFile(io.BytesIO(service.export("Reader")))
    assert any(one["type"] == "heard" for one in json.loads(archive.read("events.json")))
    service.forget("Reader")
    assert sorted(str(one["name"]) for one in service.voices.heard()) == ["Cards", "None"]
    service.voices.recognize_voice(str(sound), {"camera": "door"})
    for path in READER[:3]:
        service.voices.add_voice("Reader", path.read_bytes())
    service.voices.recognize_voice(str(sound), {"camera": "door"})
    memory.store.flush()
    assert [one["name"] for one in service.voices.heard()].count("Reader") == 1, "enrolled anew, heard anew"
    memory.store.close()
    with pytest.raises(SightingsOff):
        start(tmp_path, loaded).voices.heard()


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One typed line; faces and people are answered all the same."""
    service = start(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    calls: list[Callable[[], Any]] = [
        lambda: service.voices.recognize_voice(READER[0].read_bytes()),
        lambda: service.voices.add_voice("Reader", READER[0].read_bytes()),
    ]
    for call in calls:
        with pytest.raises(WeightsError, match=r"not installed; python -m pip install 'face_det\[voice\]'"):
            call()
    assert service.photos.people() == []
    assert not service.status()["voice"]["loaded"]
