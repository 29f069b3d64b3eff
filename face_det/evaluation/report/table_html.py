"""Tables of text as HTML."""

from __future__ import annotations

from html import escape

from face_det.evaluation.report.tables import NO_VALUE, ReportTable

TABLE_STYLE = """\
p.note, p.made { opacity: .75; max-width: 46rem; margin: .4rem 0; overflow-wrap: anywhere; }
div.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .7rem; text-align: right; border-bottom: 1px solid #8884; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th { font-weight: 600; vertical-align: bottom; white-space: normal; }
th.text, td.text { text-align: left; white-space: normal; }
td.text { min-width: 7rem; }
"""
"""How tables and their notes look; a page that shows them adds it to its CSS."""


def render_table(table: ReportTable) -> str:
    """Return a table with its title and its note; all text is escaped.

    >>> "<td>Tom &amp; Anna</td>" in render_table(ReportTable("People", (), (("Tom & Anna",),)))
    True
    """
    width = max((len(row) for row in (table.head, *table.rows)), default=0)
    numbers = [column == 0 or all(_is_figure(row[column]) for row in table.rows) for column in range(width)]
    head = "".join(
        f"<th>{escape(text)}</th>" if number else f'<th class="text">{escape(text)}</th>'
        for text, number in zip(table.head, numbers, strict=False)
    )
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
