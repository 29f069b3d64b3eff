"""Who is speaking? Recordings are recognised, enrolled beside the photos, listed and played.

Whatever writes holds `learning` and the lock on the encodings, as every change to photos does.
"""

from __future__ import annotations

import hashlib
import logging
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face_det.budget import Budget
from face_det.enrolment import (
    PhotoMove,
    PhotoPlan,
    count_photos,
    note_added_photo,
    open_photo_journal,
    require_photos,
)
from face_det.errors import (
    BadRequest,
    FaceDetError,
    NoVoice,
    PhotoOfAnother,
    SightingsOff,
    SoundError,
    VideoError,
)
from face_det.gallery import (
    Gallery,
    find_recording,
    is_recording,
    list_recordings,
    person_folder,
    photo_name,
)
from face_det.service import wire
from face_det.service.access import Access
from face_det.service.ascii_names import with_ascii_names
from face_det.service.hearing import list_heard, note_heard, parse_hearing_options
from face_det.service.limits import Limits
from face_det.service.photos import Photos, require_name
from face_det.service.video_arguments import open_source
from face_det.service.voice_networks import VoiceNetworks
from face_det.sightings import ENROLLED
from face_det.storage import (
    lock_for_update,
    make_folder,
    read_if_present,
    replace_files,
    report_write_errors,
)

if TYPE_CHECKING:
    from face_det.voices import VoiceRow, VoiceSegment

log = logging.getLogger(__name__)

BYTES = "bytes"
"""What messages call a recording that came as bytes."""
SAMPLE_RATE = 16000
RUN_VOICE_ENCODE = "run 'face-det voice encode'"
MAX_RECOGNIZED_S = 3600.0
MAX_ENROLLED_S = 300.0
"""How long a recording may be, in seconds."""
_PROBLEMS = {
    "no_speech": "nobody speaks",
    "too_short": "less than a second of speech",
    "too_noisy": "a voice that noise drowns",
    "several_voices": "several people",
}


@dataclass(frozen=True, eq=False, slots=True)
class _Enrolled:
    """A recording to be stored: its bytes and suffix, the seconds of speech, and the encoding."""

    data: bytes
    suffix: str
    speech_s: float
    encoding: Any


class Voices:
    """The verbs about voices. Thread-safe."""

    def __init__(self, access: Access, limits: Limits, photos: Photos, *, ascii_names: bool = False) -> None:
        self._access, self._limits, self._ascii_names = access, limits, ascii_names
        self._paths = access.enroller.paths
        self._photos = photos
        self.networks = VoiceNetworks(access.enroller.engines.options.compute, self._paths.voices)
        photos.follow_with(self.follow)

    def recognize_voice(
        self,
        audio: object,
        options: object = None,
        notes: dict[str, Any] | None = None,
        budget: Budget | None = None,
    ) -> dict[str, Any]:
        """Return who speaks when in a recording or a video, a path or the bytes of a file.

        With a `camera` in the options, everybody who is heard is an event, if events are kept.

        Other calls may run between two blocks of sound. Raises SoundError if it cannot be read or lasts over
        an hour, and WeightsError if something has to be installed first.
        """
        from face_det.voices import VoiceRecognizer, find_utterances, join_turns, limit_sound, read_sound

        source, call = _require_audio(audio), budget or Budget()
        asked = parse_hearing_options(options)
        listener, rule = self.networks.listener(), self._access.enroller.options.rule
        recognizer = VoiceRecognizer(listener, self.networks.model(), rule)
        samples = 0

        def blocks(path: Path) -> Iterator[Any]:
            nonlocal samples
            advice = "cut it, or run 'face-det voice recognize'"
            for block in limit_sound(read_sound(path), MAX_RECOGNIZED_S, str(path), what_else=advice):
                if call.cancelled:
                    return  # nobody waits for the answer
                call.give_way()
                samples += len(block)
                yield block

        with self._opened(source) as path:
            turns = join_turns(find_utterances(blocks(path), listener.speech), listener.encoder)
            found = list(recognizer.name_turns(turns))
        duration_s = samples / SAMPLE_RATE
        if self._access.memory is not None and not call.cancelled:
            # With the names as they are enrolled.
            note_heard(self._access.memory, asked, [one.as_json() for one in found], duration_s)
        segments = [self._shown(one).as_json() for one in found]
        if notes is not None:
            named = sum(one["voice"] is not None for one in segments)
            notes.update(segments=len(segments), named=named, sound_s=round(duration_s, 1))
        return {
            "segments": segments,
            "reason": None if segments else "no_speech",
            "durationS": round(duration_s, 2),
        }

    def add_voice(self, name: object, audio: object, notes: dict[str, Any] | None = None) -> dict[str, Any]:
        """Store a recording of one person's speech under `name` and learn it; the next call recognises it.

        Raises NoVoice if it cannot be used, PhotoOfAnother if somebody else has the very same file, and
        SoundError or WeightsError as `recognize_voice` does.
        """
        known, source = require_name(name), _require_audio(audio)
        found = self._encode(source)
        paths = self._paths
        with self._access.learning, lock_for_update(paths.encodings):
            open_photo_journal(paths).recover()
            present = self._find_same(known, found.data)
            change = None
            path = present or self._place(known, found)
            if present is None:
                change = self._store(known, path, found)
            self.networks.drop_model()
            count = len(list_recordings(paths.dataset, warn=False).get(known, []))
        if self._access.memory is not None:
            images = count_photos(paths.dataset, None).get(known, 0)
            self._access.memory.welcome(known)
            self._access.memory.note(ENROLLED, known, {"images": images, "recordings": count})
        if notes is not None:
            notes.update(recordings=count)
        return {
            "name": known,
            "recordings": count,
            "recording": photo_name(path),
            "change": change,
            "speech": round(found.speech_s, 2),
        }

    def heard(self, query: object = None) -> list[dict[str, Any]]:
        """List who was heard near cameras, newest first; raises SightingsOff if nothing is remembered."""
        if self._access.memory is None:
            raise SightingsOff('nothing is remembered: set "sightings": {} in config.json and reload')
        return list_heard(self._access.memory, query)

    def recordings(self, name: object) -> list[dict[str, Any]]:
        """List a person's recordings: when they were added, how much speech they hold, whether it counts."""
        known = require_name(name)
        found = self._require(known)
        rows = self._rows()
        return [
            {
                "recording": photo_name(path),
                "added": path.lstat().st_mtime,
                "bytes": path.lstat().st_size,
                "speech": round(rows[place].speech_s, 2) if (place := _place_of(path)) in rows else None,
                "state": "enrolled" if place in rows else "left_out",
            }
            for path in found
        ]

    def recording(self, name: object, recording: object) -> bytes:
        """Return the bytes of a recording, as it was stored."""
        known = require_name(name)
        path = find_recording(self._require(known), known, wire.require_text(recording, "recording"))
        data = read_if_present(path, self._limits.max_bytes)
        if data is None:
            raise SoundError(
                f"{photo_name(path)}: was removed meanwhile; recordings(name) lists what is there"
            )
        return data

    def delete_recording(self, name: object, recording: object) -> dict[str, Any]:
        """Remove a recording of a person; this can be undone."""
        known, file = require_name(name), wire.require_text(recording, "recording")
        find_recording(self._require(known), known, file)
        return self._photos.delete_photo(known, file)

    def follow(self, plan: PhotoPlan) -> PhotoPlan:
        """Return a change to photos and recordings with the files of voices after it.

        Recordings that come back are encoded again; if that cannot be done now, the log says so.
        """
        moves = [one for one in plan.change.moves if is_recording(Path(one.source[1]))]
        gone = dict.fromkeys(plan.change.ended, plan.change.target)
        if not moves and not (gone and self._paths.voices.encodings.exists()):
            return plan
        from face_det.voices import RecordingMove, move_recordings

        back = self._encode_again([one for one in moves if one.target[0] and not one.source[0]])
        files = move_recordings(
            self._paths.voices,
            [RecordingMove(_text(one.source), _text(one.target)) for one in moves],
            gone,
            back,
            self.networks.listener().encoder.fingerprint if back else None,
            self._rate,
        )
        return replace(plan, files={**plan.files, **files})

    @property
    def _rate(self) -> float:
        return self._access.enroller.options.false_accept_rate

    def _encode(self, source: str | bytes) -> _Enrolled:
        from face_det.voices import (
            Turn,
            find_utterances,
            join_recording,
            join_turns,
            limit_sound,
            make_storable,
            read_sound,
        )

        listener = self.networks.listener()
        place = source if isinstance(source, str) else BYTES
        with self._opened(source) as path:
            sound = limit_sound(read_sound(path), MAX_ENROLLED_S, str(path), what_else="cut it")
            turn = join_recording(join_turns(find_utterances(sound, listener.speech), listener.encoder))
            if not isinstance(turn, Turn):
                raise NoVoice(
                    f"{place}: must hold a second or more of one person's speech, got {_PROBLEMS[turn.value]}"
                )
            data, suffix = make_storable(path, path.read_bytes())
        return _Enrolled(data, suffix, turn.speech_s, turn.encoding)

    def _encode_again(self, moves: Sequence[PhotoMove]) -> list[VoiceRow]:
        """Encode recordings that were removed, where the journal keeps them."""
        if not moves:
            return []
        from face_det.voices import VoiceRow

        journal, rows = open_photo_journal(self._paths), []
        for move in moves:
            path = journal.path_of(move.source)
            try:
                found, place = self._encode(path.read_bytes()), _text(move.target)
            except (FaceDetError, OSError) as error:
                log.warning("%s: comes back without its voice; %s: %s", path.name, RUN_VOICE_ENCODE, error)
                continue
            assert place is not None
            name = unicodedata.normalize("NFC", move.target[0])
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            rows.append(VoiceRow(name, place, digest, found.speech_s, found.encoding))
        return rows

    def _find_same(self, name: str, data: bytes) -> Path | None:
        """Return the recording of a person that has these bytes; PhotoOfAnother if it is somebody else's."""
        for owner, paths in list_recordings(self._paths.dataset, warn=False).items():
            for path in paths:
                if path.stat().st_size == len(data) and path.read_bytes() == data:
                    if owner == name:
                        return path
                    raise PhotoOfAnother(
                        f"audio: must be a recording of {name} only, got the very file that is {owner}'s "
                        f"recording {photo_name(path)}; if {owner} is wrong, remove that one first"
                    )
        return None

    def _place(self, name: str, found: _Enrolled) -> Path:
        folder, stem = person_folder(self._paths.dataset, name), hashlib.sha256(found.data).hexdigest()[:16]
        path = folder / f"{stem}{found.suffix}"
        while path.exists() or path.is_symlink():
            path = path.with_stem(f"{path.stem}-2")  # somebody's own file
        return path

    def _store(self, name: str, path: Path, found: _Enrolled) -> str | None:
        """Write a recording, the files of voices and the change, all or nothing; return the change's id."""
        from face_det.voices import VoiceRow, add_recording

        digest = hashlib.sha256(found.data).hexdigest()
        row = VoiceRow(name, _place_of(path), digest, found.speech_s, found.encoding)
        fingerprint = self.networks.listener().encoder.fingerprint
        files = add_recording(self._paths.voices, row, fingerprint, self._rate)
        with report_write_errors(path, "nothing was stored"):
            make_folder(path.parent)
        try:
            change, noted = note_added_photo(self._paths, name, path)
            replace_files({path: found.data, **files, **noted})
        except BaseException:
            with suppress(OSError):
                path.parent.rmdir()
            raise
        return change

    def _require(self, name: str) -> list[Path]:
        """Return a person's recordings, perhaps none; raises UnknownPerson."""
        require_photos(self._paths.dataset, name, Gallery.load(self._paths.encodings))
        return list_recordings(self._paths.dataset, warn=False).get(name, [])

    def _rows(self) -> dict[str, VoiceRow]:
        """Return what is encoded, by its place below the dataset."""
        from face_det.voices import read_voices

        found = read_voices(self._paths.voices.encodings)
        return {} if found is None else {row.file: row for row in found.rows}

    def _shown(self, segment: VoiceSegment) -> VoiceSegment:
        if not self._ascii_names or segment.match is None:
            return segment
        return replace(segment, match=with_ascii_names(segment.match))

    @contextmanager
    def _opened(self, source: str | bytes) -> Iterator[Path]:
        """Yield a path to a caller's recording; errors name it as the caller did. Raises SoundError."""
        limits, opened = self._limits, ""
        try:
            with open_source(source, mount_point=limits.mount_point, roots=limits.roots) as (path, _):
                opened = str(path)
                if path.stat().st_size > limits.max_bytes:
                    raise SoundError(
                        f"{path}: must have at most {limits.max_bytes} bytes, got {path.stat().st_size}"
                    )
                yield path
        except VideoError as error:
            told = str(error).replace("a video file", "a recording").replace("the video", "the recording")
            raise SoundError(told) from error
        except SoundError as error:
            place = source if isinstance(source, str) else BYTES
            raise SoundError(str(error).replace(opened, place) if opened else str(error)) from error


def _require_audio(audio: object) -> str | bytes:
    if isinstance(audio, (str, bytes)):
        return audio
    raise BadRequest(f"audio: must be a path or the bytes of a recording, got {type(audio).__name__}")


def _place_of(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _text(place: tuple[str, str]) -> str | None:
    """Return a place of the journal as a path below the dataset; None for one outside of it."""
    return f"{place[0]}/{place[1]}" if place[0] else None
