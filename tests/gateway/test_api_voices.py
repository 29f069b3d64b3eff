"""Voices over /api/v1: who speaks in a recording, and a person's recordings."""

from __future__ import annotations

import numpy as np
import pytest
import speech
from api_walks import ask, forgotten
from running import eventually
from speech import CARDS, READER, write_recording

pytestmark = [
    pytest.mark.usefixtures("anew"),
    pytest.mark.skipif(speech.missing() is not None, reason=str(speech.missing())),
]


def test_a_voice_is_enrolled_heard_and_removed(web, tmp_path):
    """As a form or as the bare body; played as it was stored; the problems say what is wrong."""
    sentence = READER[0].read_bytes()
    with forgotten(web, "Joe", "Bob"):
        added = ask(web, "POST", "/people/Joe/recordings", 201, files={"audio": sentence})
        assert (added["name"], added["recordings"]) == ("Joe", 1)
        again = ask(web, "POST", "/people/Joe/recordings", 201, content=sentence)
        assert (again["recordings"], again["change"]) == (1, None)
        (person,) = [one for one in ask(web, "GET", "/people")["people"] if one["name"] == "Joe"]
        assert (person["images"], person["recordings"]) == (0, 1)
        (listed,) = ask(web, "GET", "/people/Joe/recordings")["recordings"]
        assert (listed["recording"], listed["state"]) == (added["recording"], "enrolled")
        played = ask(web, "GET", f"/people/Joe/recordings/{listed['recording']}")
        assert (played.headers["content-type"], played.content) == ("audio/wav", sentence)
        heard = ask(web, "POST", "/voices", files={"audio": READER[1].read_bytes()})
        assert {one["voice"] for one in heard["segments"]} <= {"Joe", None}
        assert heard["segments"][0]["outcome"] in ("known", "uncertain")
        told = ask(web, "POST", "/voices?remember=true&camera=door", content=READER[0].read_bytes())
        (segment,) = told["segments"]
        (event,) = eventually(lambda: ask(web, "GET", "/heard?camera=door")["heard"], "the event")
        assert (event["name"], event["outcome"]) == (segment["voice"], segment["outcome"])
        assert ask(web, "GET", "/heard?name=Bob&limit=5")["heard"] == []
        deleted = ask(web, "DELETE", f"/people/Joe/recordings/{listed['recording']}")
        assert (deleted["photos"], deleted["recordings"]) == (0, 1)
        assert ask(web, "POST", f"/changes/{deleted['change']}/undo")["recordings"] == 1
        silence = write_recording(tmp_path / "a.wav", np.zeros(16000)).read_bytes()
        for path, content, status, code in (
            ("/people/Joe/recordings", silence, 422, "NoVoice"),
            ("/people/Bob/recordings", sentence, 409, "PhotoOfAnother"),
            ("/people/Bob/recordings", CARDS[0].read_bytes(), 422, "NoVoice"),
            ("/voices", b"Hello", 422, "SoundError"),
            ("/voices", b"", 400, "BadRequest"),
        ):
            assert ask(web, "POST", path, status, content=content)["code"] == code
        assert ask(web, "GET", "/people/Joe/recordings/none.wav", 404)["code"] == "UnknownPhoto"
        assert ask(web, "POST", "/people/Joe/forget")["recordings"] == 1
    assert ask(web, "GET", "/people/Joe/recordings", 404)["code"] == "UnknownPerson"
