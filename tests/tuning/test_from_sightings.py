"""Frames out of what the verb `sightings` answers; the verb itself is tested with the sightings."""

from __future__ import annotations

from face_det.tuning import FrameFilter, MalformedRecord, sighting_frames

BOX = {"ymin": 1, "xmin": 2, "ymax": 30, "xmax": 40}


def sighting(number, frame, face):
    return {"id": number, "frame": frame, "face": face, "faceBox": BOX}


PAGES = {
    None: {"items": [sighting(4, "/b.jpg", "Ann"), sighting(3, None, "Ann")], "next": "more"},
    "more": {"items": [sighting(2, "/b.jpg", None), sighting(1, "/a.jpg", "Bob")], "next": None},
}


def read(**wanted):
    return list(sighting_frames(lambda query: PAGES[query.get("cursor")], FrameFilter(**wanted)))


def test_pages_become_frames():
    """All pages are read, faces of one picture are one frame, and what has no picture is told apart."""
    missing, first, second = read()
    assert missing == MalformedRecord("3", "frame: must be a path, got None")
    assert [(one.picture, [label.face for label in one.labels]) for one in (first, second)] == [
        ("/a.jpg", ["Bob"]),
        ("/b.jpg", ["Ann", None]),
    ]
    assert all(label.judged and label.is_face for label in first.labels)
    assert [one.id for one in read(face="Ann", newest_first=True)] == ["3", "/b.jpg"]
