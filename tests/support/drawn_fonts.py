"""Small fonts to install in a folder of one's own, because few machines have any for East Asian names."""

from __future__ import annotations

from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib.tables._g_l_y_f import Glyph

EM = 1000


def write_font(path: Path, characters: str, family: str = "Drawn for a test") -> Path:
    """Write a font of bars: the first character has one bar, the second two, and so on."""
    glyphs = {".notdef": _bars(0)}
    names = {}
    for number, character in enumerate(characters):
        names[ord(character)] = f"uni{ord(character):04X}"
        glyphs[names[ord(character)]] = _bars(number + 1)
    builder = FontBuilder(EM, isTTF=True)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap(names)
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (EM, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    path.parent.mkdir(parents=True, exist_ok=True)
    builder.save(path)
    return path


def _bars(count: int) -> Glyph:
    pen = TTGlyphPen(None)
    for number in range(count):
        left = 100 + number * 800 // count
        right = left + 400 // count
        pen.moveTo((left, 0))
        for corner in ((left, 700), (right, 700), (right, 0)):
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()
