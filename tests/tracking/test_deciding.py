"""Who a track is, decided from its clear faces together, or from the clearest alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from toy_faces import MEAN_FACE, ToyEngine, toy_encoding, toy_recognizer

from face_det.recognition import Recognizer
from face_det.tracking.deciding import CLEAR_QUALITY, VOTES, count_agreeing, decide_tracks
from face_det.tracking.tracks import MAX_SOUGHT, WELL_SEEN_FACES, LiveTrack
from face_det.types import Box, Encodings, Face, Match, Outcome

WHERE = Box(0, 0, 40, 40)
MIN_QUALITY = 0.1


@pytest.fixture(scope="module")
def known() -> Recognizer:
    """Two people are enrolled."""
    return toy_recognizer(ToyEngine(), 1, 2)


def like_person_1(share: float, other: int) -> npt.NDArray[np.float64]:
    """An encoding that has so much of Person 1, and something of a stranger."""
    mixed = share * (toy_encoding(1) - MEAN_FACE) + 0.75 * (toy_encoding(other) - MEAN_FACE)
    return np.asarray((MEAN_FACE + mixed) / np.linalg.norm(MEAN_FACE + mixed))


def face_of(encoding: Encodings | None, quality: float | None) -> Face:
    """A face of that quality, with an encoding or without."""
    return Face(WHERE, 0.9, 500.0, None, encoding, quality=quality)


def track_of(*seen: tuple[npt.NDArray[np.float64], float | None]) -> LiveTrack:
    """A track with faces, each an encoding and its quality."""
    track = LiveTrack(1, WHERE, 0.0, 0.0, 0, face_of(None, 0.5), 0.0)
    for number, (encoding, quality) in enumerate(seen):
        track.add_encoded(face_of(None, 0.5), face_of(encoding, quality), float(number))
    return track


def decide(recognizer: Recognizer, *tracks: LiveTrack) -> list[Match]:
    """Decide about tracks that are seen together."""
    return decide_tracks(recognizer, tracks, MIN_QUALITY)


def test_poor_faces_do_not_take_the_name_away(known: Recognizer) -> None:
    """However many there are, and however much they resemble each other."""
    blurred = toy_encoding(5)
    (match,) = decide(known, track_of((toy_encoding(1), 0.9), *[(blurred, 0.12)] * 20))
    assert (match.outcome, match.name) == (Outcome.KNOWN, "Person 1")


def test_the_clearest_face_alone_may_name(known: Recognizer) -> None:
    """Somebody turned away, and is still seen well enough for the faces together to resemble nobody."""
    turned = (toy_encoding(5), 0.9)
    clear = like_person_1(0.53, other=3)
    track = track_of((clear, 0.97), turned)
    together = known.match([face_of(track.fused(), 0.97)], [0])[0]
    assert together.outcome is not Outcome.KNOWN
    (match,) = decide(known, track)
    assert (match.outcome, match.name) == (Outcome.KNOWN, "Person 1")
    # Against many faces that are nobody's, one says nothing.
    (match,) = decide(known, track_of((clear, 0.97), turned, turned))
    assert match.name is None


def test_two_looks_are_no_two_chances_for_strangers(known: Recognizer) -> None:
    """What a picture alone would just be named for is not enough when either of two encodings may name."""
    shares = np.linspace(0.3, 0.7, 81)
    faces = [face_of(like_person_1(share, other=3), 0.97) for share in shares]
    alone = [match.outcome is Outcome.KNOWN for match in known.match(faces, range(len(faces)))]
    by_one, by_two = (
        [decide(known, track_of(*[(face.encoding, 0.97)] * count))[0].outcome for face in faces]
        for count in (1, 2)
    )
    assert [outcome is Outcome.KNOWN for outcome in by_one] == alone
    assert 0 < by_two.count(Outcome.KNOWN) < sum(alone)


def test_nobody_is_named_twice_in_a_frame(known: Recognizer) -> None:
    """Of two tracks seen together, the likelier one has the name."""
    sure, unsure = track_of((toy_encoding(1), 0.97)), track_of((like_person_1(0.6, other=3), 0.97))
    sure.box, unsure.box = WHERE, WHERE.shifted(300, 0)
    assert [match.name for match in decide(known, unsure, sure)] == [None, "Person 1"]


def test_everything_is_asked_at_once(known: Recognizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several tracks, too, whoever they are; and what a face is on its own is asked only once."""
    asked: list[int] = []
    match = Recognizer.match
    monkeypatch.setattr(
        Recognizer, "match", lambda self, faces, *more: asked.append(len(faces)) or match(self, faces, *more)
    )
    named, stranger = (
        track_of(*[(toy_encoding(number), quality) for quality in (0.9, 0.8, 0.7)]) for number in (1, 5)
    )
    empty = LiveTrack(1, WHERE, 0.0, 0.0, 0, face_of(None, 0.5), 0.0)
    names = [match.name for match in decide(known, named, stranger, empty)]
    assert names == ["Person 1", "Unknown", None]
    # Two looks and three votes each; and one look at a face that was not encoded.
    assert asked == [11]
    named.add_encoded(face_of(None, 0.5), face_of(toy_encoding(1), 0.85), 9.0)
    assert [match.name for match in decide(known, named)] == ["Person 1"]
    assert asked == [11, 3]


@pytest.mark.parametrize(("quality", "encoded"), [(0.9, WELL_SEEN_FACES), (0.3, MAX_SOUGHT)])
def test_clear_faces_are_sought_until_there_are_some(quality: float, encoded: int) -> None:
    """But not for ever; whoever is not seen clearly then is looked at from time to time."""
    track = LiveTrack(1, WHERE, 0.0, 0.0, 0, face_of(None, 0.5), 0.0)
    times = []
    for number in range(200):
        time_s = number / 5  # as often as is searched
        if track.wants_encoding(face_of(None, 0.5), time_s):
            track.add_encoded(face_of(None, 0.5), face_of(toy_encoding(1), quality), time_s)
            times.append(time_s)
    at_first = sum(time_s < (MAX_SOUGHT + 2) / 5 for time_s in times)
    assert encoded <= at_first <= encoded + 3
    assert len(times) < at_first + 12
    # One that seems clearly better does not wait.
    for best, wanted in ((0.3, True), (0.9, False)):
        track = track_of((toy_encoding(1), best))
        assert track.wants_encoding(face_of(None, 0.9), 0.04) is wanted
        assert not track.wants_encoding(face_of(None, 0.5), 0.04)
    # A face that seems much worse than the best is not worth it.
    track = track_of((toy_encoding(1), 0.3), (toy_encoding(1), 0.3), (toy_encoding(1), 0.3))
    assert [track.wants_encoding(face_of(None, guess), 2.5) for guess in (0.3, 0.45)] == [False, True]


def test_frames_agree_if_clear_and_of_the_same_answer_alone(known: Recognizer) -> None:
    """A poor one, one of unknown quality and one that shows somebody else do not; few are asked."""

    def agreeing(*seen: tuple[npt.NDArray[np.float64], float | None]) -> int:
        track = track_of(*seen)
        (match,) = decide(known, track)
        assert match.name == "Person 1"
        return count_agreeing(track, match)

    one, other = toy_encoding(1), toy_encoding(2)
    assert agreeing((one, 0.9)) == 1
    assert agreeing((one, 0.9), (one, CLEAR_QUALITY)) == 2
    assert agreeing((one, 0.9), (one, CLEAR_QUALITY - 0.01)) == 1
    assert agreeing((one, 0.9), (one, None)) == 1
    assert agreeing((one, 0.9), (one, 0.9), (other, 0.6)) == 2
    assert agreeing(*[(one, 0.9)] * (VOTES + 3)) == VOTES
    stranger = track_of((toy_encoding(5), 0.9), (toy_encoding(5), 0.9))
    (match,) = decide(known, stranger)
    assert match.outcome is Outcome.UNKNOWN
    assert count_agreeing(stranger, match) == 2
