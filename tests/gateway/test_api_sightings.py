"""Who was seen, over /api/v1: sightings, corrections and unknown people."""

from __future__ import annotations

import io

import PIL.Image
import pytest
from api_walks import ask, forgotten, remember


def test_a_sighting_is_explained_and_set_right(web, photos):
    """Listed, shown, explained, corrected, confirmed, and all of it undone."""
    (seen,) = remember(web, photos["obama3"], "yard")
    one = f"/sightings/{seen['id']}"
    assert (seen["face"], seen["camera"], seen["outcome"]) == ("Obama", "yard", "known")
    assert ask(web, "GET", one)["edited"] is False
    thumbnail = ask(web, "GET", f"{one}/thumbnail")
    assert PIL.Image.open(io.BytesIO(thumbnail.content)).format == "JPEG"
    why = ask(web, "GET", f"{one}/why")
    assert (why["threshold"]["met"], why["nearest"][0]["name"]) == (True, "Obama")

    corrected = ask(web, "POST", f"{one}/correct", json={"name": None})
    assert ask(web, "GET", one)["face"] != "Obama"
    ask(web, "POST", f"/changes/{corrected['change']}/undo")
    assert ask(web, "GET", one)["face"] == "Obama"
    confirmed = ask(web, "POST", f"{one}/confirm", json={"name": "Obama"})
    assert ask(web, "GET", one)["edited"] is True
    ask(web, "POST", f"/changes/{confirmed['change']}/undo")
    assert len(ask(web, "GET", "/people/Obama")["photos"]) == 1

    page = ask(web, "GET", "/sightings", params={"camera": "yard", "name": "Obama", "limit": 1})
    assert page["items"][0]["id"] == seen["id"]
    for query in ({"camera": "attic"}, {"until": 1.0}, {"name": "Nobody"}):
        assert ask(web, "GET", "/sightings", params=query)["items"] == []


@pytest.mark.slow
def test_unknown_people_get_numbers_and_a_name(web, photos):
    """Those of a group photo: merged, split, named, and ignored; each can be undone."""
    for _ in range(3):
        remember(web, photos["t1"], "gate")
    listed = ask(web, "GET", "/unknowns")["unknowns"]
    if not listed:
        # How many looks make an unknown person is the daemon's to decide.
        assert ask(web, "GET", "/sightings?unknown=true")["items"] == []
        return
    assert ask(web, "GET", "/sightings?unknown=true")["items"]
    first, *others = [one["id"] for one in listed]
    seen = ask(web, "GET", f"/sightings?unknown={first}")["items"]
    parted = ask(web, "POST", f"/unknowns/{first}/split", json={"sightings": [seen[0]["id"]]})
    assert parted["unknowns"][0] == first
    ask(web, "POST", f"/changes/{parted['change']}/undo")
    merged = ask(web, "POST", "/unknowns/merge", json={"ids": [first, others[0]]})
    ask(web, "POST", f"/changes/{merged['change']}/undo")
    ignored = ask(web, "POST", f"/unknowns/{first}/ignore")
    assert first not in [one["id"] for one in ask(web, "GET", "/unknowns")["unknowns"]]
    ask(web, "POST", f"/changes/{ignored['change']}/undo")
    with forgotten(web, "Zoe"):
        named = ask(web, "POST", f"/unknowns/{first}/name", json={"name": "Zoe"})
        assert named["photos"] >= 1
        assert "Zoe" in [face["face"] for face in faces(web, photos["t1"])]
    for one in others:
        ask(web, "DELETE", f"/unknowns/{one}")
    assert ask(web, "GET", "/unknowns")["unknowns"] == []


def faces(web, photo):
    return ask(web, "POST", "/faces", files={"image": photo.read_bytes()})["faces"]


def test_what_is_not_there_or_not_a_number(web):
    """404 for what may have been there; 400, with the place, for what cannot be."""
    for path in ("", "/thumbnail", "/picture", "/why"):
        assert ask(web, "GET", f"/sightings/{2**62}{path}", 404)["code"] == "UnknownSighting"
        assert ask(web, "GET", f"/sightings/{2**64}{path}", 400)["code"] == "BadRequest"
        assert "identifier" in ask(web, "GET", f"/sightings/x{path}", 400)["detail"]
    assert ask(web, "POST", "/unknowns/unknown-999/ignore", 404)["code"] == "UnknownSighting"
    assert ask(web, "POST", "/unknowns/nobody/ignore", 400)["code"] == "BadRequest"
    for query in ("limit=501", "limit=x", "outcome=maybe", "unknown=x", "cursor=x", "since=-1", "since=nan"):
        ask(web, "GET", f"/sightings?{query}", 400)
    assert "query.color" in ask(web, "GET", "/sightings?color=red", 400)["detail"]
