"""The comparison as one self-contained page: no script, no font, no network."""

from __future__ import annotations

from datetime import datetime, timezone
from html import escape

from face_det.comparison.compare import Comparison
from face_det.comparison.report import side_by_side
from face_det.comparison.report.tables import build_tables
from face_det.evaluation import TABLE_STYLE, render_table
from face_det.media import render_page

_STYLE = """\
body { overflow-wrap: break-word; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
"""


def render_html(comparison: Comparison, place: str) -> str:
    """Render the page. `place` says what was measured; all outside text is escaped, pictures are embedded."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    body = [f'<p class="made">{escape(f"{place}, {now}")}</p>']
    body += [render_table(table) for table in build_tables(comparison)]
    if comparison.detectors is not None:
        body += side_by_side.render_side_by_side(comparison.detectors, comparison.pictures)
    return render_page("face-det compare", "\n".join(body), TABLE_STYLE + _STYLE + side_by_side.STYLE)
