"""A page in one file: it loads nothing, whatever is written on it."""

from __future__ import annotations

from face_det.media import render_page


def test_a_page_loads_nothing_and_says_what_it_was_given() -> None:
    """A title is text, also one with the marks of a template in it."""
    page = render_page("$body <script>", "<p>${title} costs $5</p>", "p { margin: 0; }\n")
    assert page.count("$body &lt;script&gt;") == 2
    assert "<p>${title} costs $5</p>\n</body>" in page
    assert "p { margin: 0; }\n</style>" in page
    assert "default-src 'none'" in page
    assert "<script" not in page
