"""A page of the people in videos, in one file: no script, no network, readable on a phone."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from face_det.cli.terminal import count_of
from face_det.cli.times import format_video_time
from face_det.media import render_page

if TYPE_CHECKING:
    from face_det.service import VideoReport
    from face_det.tracking import VideoPerson

_STYLE = """\
body { overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 1.5rem 0 .2rem; }
p { margin: .2rem 0; }
p.note { opacity: .75; }
section { display: grid; grid-template-columns: 6rem 1fr; gap: .2rem 1rem; align-items: start;
  border-top: 1px solid #8884; padding: .8rem 0; }
section img, section span.none { width: 6rem; height: 6rem; object-fit: cover; border-radius: .4rem;
  background: #8882; grid-row: 1 / span 4; }
h3 { font-size: 1rem; margin: 0; }
div.line { position: relative; height: .9rem; border-radius: .45rem; background: #8883; margin-top: .4rem; }
div.line i { position: absolute; top: 0; bottom: 0; min-width: 4px; border-radius: .45rem;
  background: #0a7a3b; }
div.line i.unknown { background: #5b6b8c; }
div.scale { display: flex; justify-content: space-between; font-size: .75rem; opacity: .75; }
"""


def render_video_page(videos: Sequence[tuple[str, VideoReport]]) -> str:
    """Render the page: for each video, by its name, everybody's best picture and a line of when they were
    seen. All text is escaped."""
    body = "\n".join(_video(name, report) for name, report in videos)
    return render_page("Who is in the video" if len(videos) == 1 else "Who is in the videos", body, _STYLE)


def _video(name: str, report: VideoReport) -> str:
    seen = f"{count_of(len(report.people), 'person')} in {count_of(report.looked_at, 'frame')}"
    note = "" if report.note is None else f'<p class="note">{escape(report.note)}</p>\n'
    length = max(report.until_s, *(person.last_s for person in report.people), 0.001, 0.001)
    people = "".join(_person(person, length) for person in report.people)
    return f"<h2>{escape(name)}</h2>\n<p>{escape(seen)}</p>\n{note}{people}"


def _person(person: VideoPerson, length: float) -> str:
    known = person.name is not None
    sure = "" if person.probability is None else f", {person.probability:.0%} sure"
    when = f"{format_video_time(person.first_s)} to {format_video_time(person.last_s)}{sure}"
    spans = "".join(_span(track.first_s, track.last_s, length, known) for track in person.tracks)
    return (
        f"<section>\n{_picture(person)}<h3>{escape(person.label)}</h3>\n"
        f"<p>{escape(when)}; best at {format_video_time(person.best.best_s)}</p>\n"
        f'<div class="line">{spans}</div>\n'
        f'<div class="scale"><span>0:00</span><span>{format_video_time(length)}</span></div>\n</section>\n'
    )


def _picture(person: VideoPerson) -> str:
    jpeg = person.best.best.thumbnail
    if jpeg is None:
        return '<span class="none"></span>\n'
    data = base64.b64encode(jpeg).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="{escape(person.label)}">\n'


def _span(first_s: float, last_s: float, length: float, known: bool) -> str:
    left, wide = 100 * first_s / length, 100 * (last_s - first_s) / length
    title = f"{format_video_time(first_s)} to {format_video_time(last_s)}"
    kind = "" if known else ' class="unknown"'
    return f'<i{kind} style="left:{left:.2f}%;width:{wide:.2f}%" title="{title}"></i>'
