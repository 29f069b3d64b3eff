"""Somebody's voice in the page: recorded with the microphone, played, deleted and put back."""

from __future__ import annotations

import pytest
import speech

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(speech.missing() is not None, reason=str(speech.missing())),
]


@pytest.mark.slow
def test_a_voice_is_recorded_and_recognised(visit, home):
    """Seven seconds of what the microphone hears; whoever read them is known by another recording."""
    visitor = visit(permissions=["microphone"])
    visitor.go("person/Reader?new")
    visitor.see("details.voice summary", "Voice").click()
    visitor.press("Record a voice")
    visitor.see(".voice .hint", "Keep speaking")
    visitor.see(".toast", "voice is recognised from now on")
    visitor.see("details.voice summary", "Voice: 1 recording")
    visitor.see("header.head .quiet", "0 photos · 1 recording")
    audio = visitor.page.locator(".recordings audio")
    audio.evaluate("one => one.play()")
    visitor.page.wait_for_function("() => document.querySelector('.recordings audio').currentTime > 0.1")
    assert 6.9 < audio.evaluate("one => one.duration") < 7.2
    heard = home.post("/api/v1/voices", files={"audio": speech.READER[1].read_bytes()}).json()
    assert {one["outcome"] for one in heard["segments"]} <= {"known", "uncertain"}
    (segment,) = heard["segments"]
    assert "Reader" in (segment["voice"], *(one["name"] for one in segment["candidates"]))
    options = {"remember": "true", "camera": "hall"}
    home.post("/api/v1/voices", params=options, files={"audio": speech.READER[0].read_bytes()})
    other = visit()
    other.go("review")
    other.see(".heard li a", "Reader")
    other.see(".heard li", "hall")
    visitor.page.get_by_role("button", name="Delete the recording").click()
    deleted = visitor.see(".toast", "Recording deleted")
    visitor.gone(".recordings li", "")
    deleted.get_by_role("button", name="Undo").click()
    visitor.see(".recordings audio")
    visitor.go("people")
    visitor.see(".portrait", "0 photos · 1 recording")


@pytest.mark.slow
def test_without_the_microphone_it_says_so(visit, home):
    """In the reader's language, and stopping a recording keeps nothing of it."""
    refused = visit(permissions=[], locale="de-AT")
    refused.page.add_init_script(
        "if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia ="
        " async () => { throw new DOMException('no', 'NotAllowedError'); }"
    )
    refused.go("person/Reader?new")
    refused.see("details.voice summary", "Stimme").click()
    refused.press("Stimme aufnehmen")
    refused.see(".toast", "Der Browser lässt diese Seite nicht an das Mikrofon.")
    visitor = visit(permissions=["microphone"])
    visitor.go("person/Reader?new")
    visitor.see("details.voice summary").click()
    visitor.press("Record a voice")
    visitor.see(".voice meter")
    visitor.page.locator(".voice").get_by_role("button", name="Cancel").click()
    visitor.see(".voice button", "Record a voice")
    assert home.get("/api/v1/people").json()["people"] == []
