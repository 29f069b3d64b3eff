"""A page with the faces of unknown people, in one file: no script, no network, readable on a phone."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from face_det.cli.terminal import count_of
from face_det.cli.times import format_time
from face_det.media import render_page

_STYLE = """\
body { overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0; }
section { border-top: 1px solid #8884; padding: 1rem 0; }
p { margin: .2rem 0; }
p.note { opacity: .75; }
ul { list-style: none; padding: 0; margin: .8rem 0; display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); }
li { font-size: .8rem; line-height: 1.3; }
img { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: .4rem; }
"""


@dataclass(frozen=True, eq=False, slots=True)
class Portrait:
    """A face on the page: a JPEG, when (seconds since 1970) and where it was seen, and the sighting's id."""

    jpeg: bytes
    time: float
    camera: str | None
    sighting: int


def render_contact_sheet(people: Sequence[tuple[dict[str, Any], Sequence[Portrait]]]) -> str:
    """Render the page: each unknown person as `unknowns()` returns them, with faces. All text is escaped."""
    body = "\n".join(_section(person, portraits) for person, portraits in people)
    made = f"People seen without a name, most often seen first. Made at {format_time(time.time())}."
    top = f'<p class="note">{escape(made)}</p>\n'
    return render_page("Unknown people", top + (body or "<p>Nobody so far.</p>"), _STYLE)


def _section(person: dict[str, Any], portraits: Sequence[Portrait]) -> str:
    seen = f"{count_of(person['sightings'], 'sighting')} in {count_of(person['visits'], 'visit')}"
    lines = [f"{seen}, from {format_time(person['first'])} to {format_time(person['last'])}"]
    if person["cameras"]:
        lines.append(f"Cameras: {', '.join(person['cameras'])}")
    paragraphs = "".join(f"<p>{escape(line)}</p>\n" for line in lines)
    faces = "".join(_face(person["id"], portrait) for portrait in portraits)
    command = escape(f"face-det unknowns name {person['id']} NAME")
    return (
        f"<section>\n<h2>{escape(person['id'])}</h2>\n{paragraphs}<ul>\n{faces}</ul>\n"
        f'<p class="note"><code>{command}</code></p>\n</section>'
    )


def _face(identifier: str, portrait: Portrait) -> str:
    data = base64.b64encode(portrait.jpeg).decode()
    where = f"{portrait.camera}, " if portrait.camera is not None else ""
    about = f"{where}{format_time(portrait.time)}, sighting {portrait.sighting}"
    return f'<li><img src="data:image/jpeg;base64,{data}" alt="{escape(identifier)}">{escape(about)}</li>\n'
