"""The comparison as one self-contained page: no script, no font, no network."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from html import escape

from face_det.comparison.compare import Comparison, RecogniserComparison
from face_det.comparison.report import side_by_side
from face_det.comparison.report.tables import detector_tables, recogniser_tables
from face_det.evaluation import TABLE_STYLE, render_table
from face_det.media import render_page

MOST_LISTED = 20
"""How many problems are listed."""

_STYLE = """\
body { overflow-wrap: break-word; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
div.maps { display: grid; gap: 1rem; margin: 1rem 0; }
div.maps { grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); }
div.maps figure { margin: 0; }
div.maps img { width: 100%; height: auto; background: #fff; border: 1px solid #8884; border-radius: .3rem; }
div.maps img { box-sizing: border-box; }
"""


def render_html(comparison: Comparison, place: str) -> str:
    """Render the page. `place` says what was measured; all outside text is escaped, pictures are embedded."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    body = [f'<p class="made">{escape(f"{place}, {now}")}</p>']
    found = comparison.detectors
    if found is not None:
        body += map(render_table, detector_tables(found))
        body += _problems(found.truth.problems if found.truth is not None else ())
    if comparison.recognisers is not None:
        body += map(render_table, recogniser_tables(comparison.recognisers))
        body += _maps(comparison.recognisers)
    elif comparison.no_dataset is not None:
        body.append(f"<h2>Recognisers</h2><p>Not compared: {escape(comparison.no_dataset)}</p>")
    if found is not None:
        body += side_by_side.render_side_by_side(found, comparison.pictures)
    body += _list("Pictures without an answer", comparison.failures())
    body += _unreadable(comparison)
    return render_page("face-det compare", "\n".join(body), TABLE_STYLE + _STYLE + side_by_side.STYLE)


def _maps(found: RecogniserComparison) -> Iterator[str]:
    """Yield the maps of the encodings, without and with masks."""
    drawn = [each for each in found.masks if each.map_bare is not None]
    if not drawn:
        return
    yield "<h2>Maps of the encodings, without and with masks</h2>\n"
    yield (
        '<p class="note">All photos of up to 25 people on a plane (t-SNE); those that are close look alike '
        "to the network. Hollow dots are the same photos with a drawn mask. Distances between separate "
        "groups mean nothing.</p>\n"
    )
    for each in drawn:
        figures = "".join(
            f'<figure><img src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}" '
            f'alt="{escape(each.embedder)}, {how}"><figcaption>{escape(each.embedder)}, {how}</figcaption>'
            "</figure>\n"
            for png, how in ((each.map_bare, "without masks"), (each.map_masked, "with masks"))
            if png is not None
        )
        yield f'<div class="maps">\n{figures}</div>\n'


def _problems(problems: Sequence[str]) -> Iterator[str]:
    yield from _list("Not as annotated", problems)


def _unreadable(comparison: Comparison) -> Iterator[str]:
    pictures = comparison.pictures
    yield from _list(
        "Pictures that cannot be read", [f"{pictures.name(path)}: {why}" for path, why in pictures.unreadable]
    )


def _list(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        items = "".join(f"<li>{escape(line)}</li>\n" for line in lines[:MOST_LISTED])
        more = len(lines) - MOST_LISTED
        rest = f'<p class="note">{more} more; comparison.json lists them all.</p>\n' if more > 0 else ""
        yield f"<h2>{escape(title)}</h2>\n<ul>\n{items}</ul>\n{rest}"
