"""Finds a font for each character: DejaVu Sans, which matplotlib brings, and then what is installed."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import struct
import subprocess
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from fontTools.ttLib import TTFont, TTLibError
from PIL import ImageFont

_BEYOND_EUROPEAN = "\u0250"
"""Every font here draws the printable characters below this one, so for them none is searched."""
_FC_MATCH_TIMEOUT_S = 60
_OUTLINES = ("glyf", "CFF ", "CFF2")
_SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
_WORDS = re.compile(r"\S+|\s+")
_EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "HALFWIDTH", "FULLWIDTH")
_MOST_LISTED = 10


@dataclass(frozen=True, slots=True)
class FontFile:
    """A font in a file; `index` is its place in a collection (.ttc), 0 elsewhere."""

    path: Path
    index: int = 0


@dataclass(frozen=True, slots=True)
class FontRun:
    """A part of a text, and the font that draws all of it; None where no font does."""

    text: str
    font: FontFile | None


def split_by_font(text: str) -> list[FontRun]:
    """Split a text into runs, each with the first font that draws it; DejaVu Sans is the first of all.

    A word stays whole if one font draws all of it, because letters of many scripts join up.

    >>> [(run.text, run.font.path.name) for run in split_by_font("Zoë 97%") if run.font]
    [('Zoë 97%', 'DejaVuSans.ttf')]
    """
    runs: list[FontRun] = []
    for word in _WORDS.findall(text):
        last = runs[-1].font if runs else None
        # A space belongs to what stands before it, or Arabic words would be drawn in the wrong order.
        if last is not None and word.isspace() and _draws(last, word):
            whole: FontFile | None = last
        else:
            whole = _first_font(word)
        parts = [word] if whole is not None else _letters(word)
        for part in parts:
            font = whole or _first_font(part)
            if runs and runs[-1].font == font:
                runs[-1] = FontRun(runs[-1].text + part, font)
            else:
                runs.append(FontRun(part, font))
    return runs


def spell_out_undrawable(text: str) -> str:
    """Replace each character that no font draws by its code, such as U+7530, between spaces.

    >>> spell_out_undrawable("Zoë"), spell_out_undrawable("Ann\\ue000 Lee")
    ('Zoë', 'Ann U+E000 Lee')
    """
    runs = split_by_font(text)
    if not any(_undrawable(run) for run in runs):
        return text
    spelt = (f" {_codes(run.text)} " if _undrawable(run) else run.text for run in runs)
    return " ".join("".join(spelt).split())


def explain_missing_fonts(texts: Iterable[str]) -> str | None:
    """Say which characters of some texts no font draws, and which package to install; None if there are none.

    >>> explain_missing_fonts(["Zoë", "Дмитрий"]) is None
    True
    """
    runs = [run for text in texts for run in split_by_font(text)]
    signs = {sign for run in runs if _undrawable(run) for sign in run.text}
    missing = sorted(sign for sign in signs if sign.isprintable())
    if not missing:
        return None
    shown = _codes(missing[:_MOST_LISTED])
    more = f" and {len(missing) - _MOST_LISTED} more" if len(missing) > _MOST_LISTED else ""
    told = f"no installed font draws {shown}{more}, so pictures show these codes instead"
    packages = " and ".join(sorted({_package_for(sign) for sign in missing}))
    return f"{told}; on Debian and Ubuntu, install {packages}; elsewhere, the Noto fonts for those scripts"


def _undrawable(run: FontRun) -> bool:
    return run.font is None and max(run.text) >= _BEYOND_EUROPEAN


def _codes(signs: Iterable[str]) -> str:
    return " ".join(f"U+{ord(sign):04X}" for sign in signs)


def _package_for(sign: str) -> str:
    """Return the Debian package whose fonts draw a character."""
    if unicodedata.name(sign, "").startswith(_EAST_ASIAN):
        return "fonts-noto-cjk"
    # Noto's emoji are coloured bitmaps, which a chart cannot show.
    return "fonts-symbola" if unicodedata.category(sign)[0] == "S" else "fonts-noto-core"


def _letters(word: str) -> list[str]:
    """Split a word into letters, each with its marks if one font draws both."""
    letters: list[str] = []
    for sign in word:
        if letters and unicodedata.category(sign)[0] == "M":
            letters[-1] += sign
        else:
            letters.append(sign)
    return [part for one in letters for part in ([one] if _first_font(one) else one)]


def _first_font(text: str) -> FontFile | None:
    return next((font for font in _candidates(text) if _draws(font, text)), None)


def _candidates(text: str) -> Iterator[FontFile]:
    bundled = bundled_font()
    if bundled is not None:
        yield bundled
        if max(text) < _BEYOND_EUROPEAN:
            return
    yield from installed_fonts()


def _draws(font: FontFile, text: str) -> bool:
    if font == bundled_font() and max(text) < _BEYOND_EUROPEAN:
        return True
    return _covered_points(font).issuperset(map(ord, text))


@functools.cache
def bundled_font() -> FontFile | None:
    """Return DejaVu Sans (accents, Greek, Cyrillic) from matplotlib's files, without importing matplotlib."""
    package = importlib.util.find_spec("matplotlib")
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder, "mpl-data/fonts/ttf/DejaVuSans.ttf")
        if path.is_file():
            return FontFile(path)
    return None


@functools.cache
def installed_fonts() -> tuple[FontFile, ...]:
    """Return the fonts installed on this machine, best first; fontconfig gives the order if it is there."""
    return tuple(_ask_fontconfig()) or tuple(_search_folders())


def _ask_fontconfig() -> Iterator[FontFile]:
    """Yield fontconfig's order for sans-serif text in the user's language, without fonts that add nothing."""
    program = shutil.which("fc-match")
    if program is None:
        return
    asked = [program, "--sort", "--format", "%{index}\t%{file}\n", "sans-serif:color=false"]
    try:
        done = subprocess.run(asked, capture_output=True, check=True, timeout=_FC_MATCH_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError):
        return
    for line in os.fsdecode(done.stdout).splitlines():
        index, _, file = line.partition("\t")
        if index.isdigit() and file.lower().endswith(_SUFFIXES):
            # The upper half is the instance of a variable font.
            yield FontFile(Path(file), int(index) & 0xFFFF)


def _search_folders() -> Iterator[FontFile]:
    """Yield the fonts in the usual folders, upright sans-serif ones first, going by their names."""
    folders = (
        platformdirs.user_data_path() / "fonts",
        Path.home() / ".fonts",
        Path("/usr/local/share/fonts"),
        Path("/usr/share/fonts"),
    )
    paths = {path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES}

    def order(path: Path) -> tuple[bool, bool, bool, Path]:
        regular = "Regular" in path.name or "[" in path.name  # as variable fonts are called
        slanted = "Italic" in path.name or "Oblique" in path.name
        return slanted, not regular, "Sans" not in path.name, path

    for path in sorted(paths, key=order):
        yield FontFile(path)


@functools.cache
def _covered_points(font: FontFile) -> frozenset[int]:
    """Return the code points a font has outlines for; none for bitmaps, layered colours and broken files."""
    try:
        ImageFont.truetype(str(font.path), index=font.index)  # FreeType, which draws it, is the stricter
        # TTFont leaves a file open that it opened itself and cannot read.
        with font.path.open("rb") as file, TTFont(file, fontNumber=font.index, lazy=True) as opened:
            if "COLR" in opened or not any(table in opened for table in _OUTLINES):
                return frozenset()
            return frozenset(opened.getBestCmap() or ())
    except (OSError, TTLibError, ValueError, KeyError, IndexError, AssertionError, struct.error):
        return frozenset()
