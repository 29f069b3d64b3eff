"""The evaluation as one self-contained HTML page: no script, no font, no network."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from html import escape

import numpy as np

from face_det.errors import DataError
from face_det.evaluation.evaluate import Evaluation
from face_det.evaluation.report import charts, confusion, embedding_map
from face_det.evaluation.report.charts import collect_scores
from face_det.evaluation.report.reject_curve import draw_reject_curve
from face_det.evaluation.report.table_html import TABLE_STYLE, render_table
from face_det.evaluation.report.tables import ReportTable, build_tables
from face_det.evaluation.report.verdict import NO_SHORTCOMING, Verdict, summarize_evaluation
from face_det.media import load_image, make_thumbnail, render_page
from face_det.types import UNKNOWN

MOST_MISTAKES_SHOWN = 40
"""How many wrongly named photos are shown."""
THUMBNAIL_PX = 112
FITS_PX, WIDEST_PX = 537, 940
"""Charts up to the first width are shrunk to fit a phone's screen, where their letters of 9 points keep 8 of
12 pixels; wider ones, up to the second width, scroll."""

_NO_STRANGERS = "no face of a stranger was tested"

_STYLE = """\
body { overflow-wrap: break-word; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem; }
p.verdict { font-size: 1.2rem; font-weight: 600; max-width: 46rem; margin: 1rem 0 .5rem; }
ul.advice { max-width: 46rem; margin: .5rem 0; padding-left: 1.2rem; }
figure { margin: .6rem 0; }
figure img { background: #fff; border-radius: .5rem; height: auto; box-sizing: border-box; }
figure.fits img { width: 100%; max-width: 34rem; }
figure.scrolls { overflow-x: auto; }
ul.faces { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 1rem; }
ul.faces li { width: 9rem; font-size: .85rem; overflow-wrap: anywhere; }
ul.faces img { display: block; border-radius: .3rem; }
"""


@dataclass(frozen=True, slots=True)
class ReportChart:
    """A chart, or with `png` of None the reason why it is left out.

    With `width_px` it is shown that wide, and scrolls on a small screen; else it is as wide as the screen.
    """

    title: str
    png: bytes | None
    about: str
    width_px: int | None = None


def render_html(evaluation: Evaluation, place: str) -> str:
    """Render the page. `place` says what was measured; all outside text is escaped, pictures are embedded."""
    verdict = _verdict(summarize_evaluation(evaluation))
    shown = list(build_tables(evaluation))
    sections = [render_table(table) for table in shown if table.title != "Named wrongly"]
    end_to_end, first, rest = sections[:1], sections[1:3], sections[3:]
    pictures = [_figure(picture) for picture in _pictures(evaluation)]
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    made = f'<p class="made">{escape(f"{place}, {now}")}</p>'
    body = [made, verdict, *end_to_end, *_mistakes(evaluation), *first, *pictures, *rest]
    return render_page("face-det evaluate", "\n".join(body), TABLE_STYLE + _STYLE)


def render_charts(title: str, place: str, tables: Sequence[ReportTable], shown: Sequence[ReportChart]) -> str:
    """Render a page of tables, then charts; `place` says what was measured. All outside text is escaped."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    made = f'<p class="made">{escape(f"{place}, {now}")}</p>'
    return render_page(
        title, "\n".join([made, *map(render_table, tables), *map(_figure, shown)]), TABLE_STYLE + _STYLE
    )


def _verdict(verdict: Verdict) -> str:
    advice = "".join(f"<li>{escape(text)}</li>\n" for text in verdict.shortcomings)
    below = f'<ul class="advice">\n{advice}</ul>' if advice else f"<p>{NO_SHORTCOMING}</p>"
    return f'<p class="verdict">{escape(verdict.sentence)}</p>\n{below}\n'


def _figure(picture: ReportChart) -> str:
    title, about = escape(picture.title), f'<p class="note">{escape(picture.about)}</p>\n'
    if picture.png is None:
        return f"<h2>{title}</h2>\n{about}"
    data = base64.b64encode(picture.png).decode("ascii")
    kind, width = "fits", ""
    if picture.width_px is not None:
        kind, width = "scrolls", f' width="{picture.width_px}"'
    return (
        f'<h2>{title}</h2>\n<figure class="{kind}"><img src="data:image/png;base64,{data}" '
        f'alt="{title}"{width}></figure>\n{about}'
    )


def _worth_of_quality(evaluation: Evaluation) -> Iterator[ReportChart]:
    curve = draw_reject_curve(evaluation.answers_to_all)
    if curve is not None:
        yield ReportChart(
            "What quality is worth",
            curve,
            "Known people's faces, end to end. If quality tells which faces are not recognised, the line "
            "falls steeply from the left, towards the dashed one.",
        )


def _pictures(evaluation: Evaluation) -> Iterator[ReportChart]:
    truth, predictions, counts = evaluation.encoded.truth, evaluation.predictions, evaluation.counts
    strangers = None in truth
    yield (
        _error_trade_off(evaluation)
        if strangers
        else ReportChart(
            "Error trade-off",
            None,
            f"Left out: it weighs strangers named against known people not named, and {_NO_STRANGERS}.",
        )
    )
    yield ReportChart(
        "How close the faces are",
        charts.draw_score_histograms(collect_scores(evaluation)),
        "The further the green is from the red, the easier it is to choose a threshold."
        if strangers
        else f"Strangers are left out, because {_NO_STRANGERS}.",
    )
    yield from _worth_of_quality(evaluation)
    yield ReportChart(
        "By minimum probability",
        charts.draw_threshold_sweep(truth, predictions.with_probability_scores(), counts),
        "As if faceProba alone decided.",
    )
    yield ReportChart(
        "Does faceProba mean what it says?",
        charts.draw_reliability_diagram(evaluation.calibration),
        "The share of answers that are right, by their probability; the numbers count faces. On the dashed "
        "line the probability is exact.",
    )
    matrix, note = confusion.draw_confusion_matrix(truth, predictions)
    yield ReportChart(
        "Who was taken for whom",
        matrix,
        f"The numbers count photos: blue is right, grey is unnamed, orange is wrong. {note}",
        _scroll_width_px(matrix),
    )
    names = [*(None if name == UNKNOWN else name for name in evaluation.encoded.names), *truth]
    encodings = evaluation.encoded.select_embedder(evaluation.embedder)
    if len(names) < embedding_map.FEWEST_MAP_POINTS:
        return
    drawn = embedding_map.draw_embedding_map(np.vstack([encodings.enrolled, encodings.probes]), names)
    yield ReportChart(
        "Map of the encodings",
        drawn,
        "All photos on a plane (t-SNE): photos that are close look alike to the network. Strangers are grey. "
        "Distances between separate groups mean nothing.",
        _scroll_width_px(drawn),
    )


def _scroll_width_px(png: bytes) -> int | None:
    """Return the width in CSS pixels, 96 per inch, of a large chart; None if it fits a phone's screen."""
    pixels: int = load_image(png).shape[1]
    width_px = pixels * 96 // charts.DPI
    return None if width_px <= FITS_PX else min(WIDEST_PX, width_px)


def _error_trade_off(evaluation: Evaluation) -> ReportChart:
    others = {one.name: one.shipped for one in evaluation.comparisons.get(evaluation.embedder, ())}
    return ReportChart(
        "Error trade-off",
        charts.draw_det_curve(evaluation.encoded.truth, evaluation.predictions, evaluation.counts, others),
        "Lower and further left is better. Both axes are stretched to make small rates readable; "
        "rates beyond 60 % are drawn at the edge.",
    )


def _mistakes(evaluation: Evaluation) -> Iterator[str]:
    """Yield a section with the wrongly named photos and their names, most confident first; end to end."""
    wrong = sorted(evaluation.end_to_end.mistakes, key=lambda mistake: -mistake[2])
    if not wrong:
        yield '<h2>Named wrongly</h2>\n<p class="note">Nobody was.</p>\n'
        return
    items = []
    for photo, name, probability in wrong[:MOST_MISTAKES_SHOWN]:
        who = photo.name or "a stranger"
        try:
            picture = make_thumbnail(load_image(photo.path), THUMBNAIL_PX)
            data = base64.b64encode(picture).decode("ascii")
            shown = f'<img src="data:image/jpeg;base64,{data}" alt="" width="{THUMBNAIL_PX}">'
        except DataError:
            shown = ""  # The photo is gone by now; the text still identifies it.
        items.append(
            f"<li>{shown}{escape(who)} named <b>{escape(name)}</b>, {probability:.3f}<br>"
            f"{escape(photo.path.name)}</li>"
        )
    more = (
        f'<p class="note">{len(wrong) - MOST_MISTAKES_SHOWN} more.</p>\n'
        if len(wrong) > MOST_MISTAKES_SHOWN
        else ""
    )
    yield f'<h2>Named wrongly</h2>\n<ul class="faces">\n{"".join(items)}\n</ul>\n{more}'
