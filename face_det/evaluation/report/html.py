"""The evaluation as one self-contained HTML page: no script, no font, no network."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from html import escape
from string import Template

import numpy as np

from face_det.errors import DataError
from face_det.evaluation.evaluate import Evaluation
from face_det.evaluation.report import charts, confusion, embedding_map
from face_det.evaluation.report.charts import collect_scores
from face_det.evaluation.report.tables import NO_VALUE, ReportTable, build_tables
from face_det.media import load_image, make_thumbnail
from face_det.types import UNKNOWN

MOST_MISTAKES_SHOWN = 40
"""How many wrongly named photos are shown."""
THUMBNAIL_PX = 112

PAGE_TEMPLATE = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem; }
p.note, p.made { opacity: .75; max-width: 46rem; margin: .4rem 0; }
div.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .7rem; text-align: right; border-bottom: 1px solid #8884; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th { font-weight: 600; vertical-align: bottom; white-space: normal; }
td.text { text-align: left; white-space: normal; }
figure { margin: .6rem 0; }
figure img { background: #fff; padding: .6rem; border-radius: .5rem; max-width: 100%; height: auto; }
ul.faces { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 1rem; }
ul.faces li { width: 9rem; font-size: .85rem; overflow-wrap: anywhere; }
ul.faces img { display: block; border-radius: .3rem; }
</style>
</head>
<body>
<h1>$title</h1>
<p class="made">$made</p>
$body
</body>
</html>
""")


@dataclass(frozen=True, slots=True)
class _Picture:
    title: str
    png: bytes
    about: str
    width_px: int


def render_html(evaluation: Evaluation, place: str) -> str:
    """Render the page. `place` says what was measured; all outside text is escaped, pictures are embedded."""
    shown = list(build_tables(evaluation))
    sections = [_table(table) for table in shown if table.title != "Named wrongly"]
    first, rest = sections[:2], sections[2:]
    pictures = [_figure(picture) for picture in _pictures(evaluation)]
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return PAGE_TEMPLATE.substitute(
        title=escape("face-det evaluate"),
        made=escape(f"{place}, {now}"),
        body="\n".join([*first, *_mistakes(evaluation), *pictures, *rest]),
    )


def _table(table: ReportTable) -> str:
    numbers = [all(_is_figure(row[column]) for row in table.rows) for column in range(len(table.head))]
    head = "".join(f"<th>{escape(text)}</th>" for text in table.head)
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(text)}</td>" if number else f'<td class="text">{escape(text)}</td>'
            for text, number in zip(row, numbers, strict=True)
        )
        + "</tr>\n"
        for row in table.rows
    )
    top = f"<thead><tr>{head}</tr></thead>\n" if any(table.head) else ""
    note = f'<p class="note">{escape(table.note)}</p>\n' if table.note else ""
    return (
        f'<h2>{escape(table.title)}</h2>\n<div class="wide"><table>\n{top}<tbody>\n{rows}</tbody>\n'
        f"</table></div>\n{note}"
    )


def _is_figure(text: str) -> bool:
    return not text or text[0].isdigit() or text == NO_VALUE


def _figure(picture: _Picture) -> str:
    data = base64.b64encode(picture.png).decode("ascii")
    return (
        f'<h2>{escape(picture.title)}</h2>\n<figure><img src="data:image/png;base64,{data}" '
        f'alt="{escape(picture.title)}" width="{picture.width_px}"></figure>\n'
        f'<p class="note">{escape(picture.about)}</p>\n'
    )


def _pictures(evaluation: Evaluation) -> Iterator[_Picture]:
    truth, predictions, counts = evaluation.encoded.truth, evaluation.predictions, evaluation.counts
    others = {one.name: one.shipped for one in evaluation.comparisons.get(evaluation.embedder, ())}
    yield _Picture(
        "Error trade-off",
        charts.draw_det_curve(truth, predictions, counts, others),
        "Lower and further left is better. Both axes are stretched to make small rates readable; "
        "rates beyond 60 % are drawn at the edge.",
        860,
    )
    yield _Picture(
        "How close the faces are",
        charts.draw_score_histograms(collect_scores(evaluation)),
        "The further the green is from the red, the easier it is to choose a threshold.",
        760,
    )
    yield _Picture(
        "By minimum probability",
        charts.draw_threshold_sweep(truth, predictions.with_probability_scores(), counts),
        "As if faceProba alone decided.",
        820,
    )
    yield _Picture(
        "Does faceProba mean what it says?",
        charts.draw_reliability_diagram(evaluation.calibration),
        "The share of answers that are right, by their probability; the numbers count faces. On the dashed "
        "line the probability is exact.",
        480,
    )
    matrix, note = confusion.draw_confusion_matrix(truth, predictions)
    yield _Picture(
        "Who was taken for whom",
        matrix,
        f"The numbers count photos: blue is right, grey is unnamed, orange is wrong. {note}",
        min(940, load_image(matrix).shape[1]),
    )
    names = [*(None if name == UNKNOWN else name for name in evaluation.encoded.names), *truth]
    encodings = evaluation.encoded.select_embedder(evaluation.embedder)
    if len(names) < embedding_map.FEWEST_MAP_POINTS:
        return
    yield _Picture(
        "Map of the encodings",
        embedding_map.draw_embedding_map(np.vstack([encodings.enrolled, encodings.probes]), names),
        "All photos on a plane (t-SNE): photos that are close look alike to the network. Strangers are grey. "
        "Distances between separate groups mean nothing.",
        900,
    )


def _mistakes(evaluation: Evaluation) -> Iterator[str]:
    """Yield a section with the wrongly named photos and their names, most confident first."""
    wrong = sorted(evaluation.mistakes, key=lambda mistake: -mistake[2])
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
