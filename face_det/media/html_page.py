"""Web pages in one file: no script, no font, no network, readable on a phone and in the dark."""

from __future__ import annotations

from html import escape
from string import Template

_PAGE = Template("""\
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
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 64rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; }
$style</style>
</head>
<body>
<h1>$title</h1>
$body
</body>
</html>
""")


def render_page(title: str, body: str, style: str) -> str:
    """Render a page with this heading, the HTML below it, and the CSS that the page adds, each line ended.

    The title is escaped. Nothing that the page loads would be loaded: pictures stand in it as data.

    >>> "<h1>Tom &amp; Anna</h1>" in render_page("Tom & Anna", "<p>Nobody.</p>", "p { margin: 0; }\\n")
    True
    """
    return _PAGE.substitute(title=escape(title), body=body, style=style)
