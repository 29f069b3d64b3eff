"""Names for callers that can use only ASCII, such as an uploader that puts them into HTTP headers."""

from __future__ import annotations

import string
import urllib.parse
from collections.abc import Iterable
from dataclasses import replace

from face_det.types import Match

_KEPT = "".join(sorted({*string.punctuation, " "} - {"%"}))


def to_ascii(name: str) -> str:
    """Percent-encode the UTF-8 bytes of all but printable ASCII, and the percent sign.

    urllib.parse.unquote, or decodeURIComponent in JavaScript, gives the name back.

    >>> to_ascii("Zoë O'Brien"), to_ascii("Ann Lee")
    ("Zo%C3%AB O'Brien", 'Ann Lee')
    """
    return urllib.parse.quote(name, safe=_KEPT)


def with_ascii_names(match: Match) -> Match:
    """Return a match with every name in its ASCII form."""
    candidates = tuple(replace(one, name=to_ascii(one.name)) for one in match.candidates)
    veto = match.veto and replace(match.veto, name=to_ascii(match.veto.name))
    return replace(match, name=match.name and to_ascii(match.name), candidates=candidates, veto=veto)


def warn_of_names(names: Iterable[str]) -> str | None:
    """Return a warning if some names are not ASCII, for a caller that gets them as they are. It names nobody.

    >>> warn_of_names(["Ann", "Unknown"]) is None
    True
    """
    count = sum(not name.isascii() for name in names)
    if count == 0:
        return None
    return (
        f"names beyond ASCII: {count}; ZoneMinder's alarm uploader exits when it receives one; if it calls "
        "this daemon, set asciiNames to true"
    )
