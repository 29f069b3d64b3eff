"""Draws boxes and names on a picture, and saves it."""

from __future__ import annotations

import bisect
import functools
import math
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from face_det.errors import BadImage, CannotWrite
from face_det.media.fonts import FontFile, spell_out_undrawable, split_by_font
from face_det.media.pixels import copy_rgb
from face_det.media.transform import pixel_region
from face_det.types import Box, Rgb

_Colour = tuple[int, int, int]
_Rect = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels; right and bottom are exclusive."""

_KNOWN_COLOUR: _Colour = (0, 120, 50)  # white text on either has a contrast above 4.5 (WCAG AA)
_UNKNOWN_COLOUR: _Colour = (70, 80, 100)
_WHITE: _Colour = (255, 255, 255)
_MIN_LETTER_PX = 10  # pixels; DejaVu Sans is unreadable below it
_MAX_LETTERS = 200  # characters; no picture has room for more
_SUFFIXES = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}


_Lettering = tuple[str, ImageFont.FreeTypeFont]
"""A part of a text and the font that draws it."""


@dataclass(frozen=True, slots=True)
class _LabelTag:
    """A label: its background plate, and its text in parts of one font each."""

    plate: _Rect
    parts: list[_Lettering]
    padding: int


def annotate_faces(rgb: Rgb, labels: Sequence[tuple[Box, str, bool]]) -> Rgb:
    """Draw a box and a label around each face, in a copy of the picture.

    Each label is (box, text, known): known faces are green, others slate
    grey, because nobody should read a stranger as an alarm. Lines and letters grow with the
    picture. Labels stay inside it, and clear of each other and of other faces if there is room. Boxes
    outside the picture are skipped; an empty text gives a box without a label. Characters that no installed
    font draws are shown by their codes, such as U+7530; `explain_missing_fonts` says what to install.

    >>> import numpy as np
    >>> drawn = annotate_faces(np.zeros((240, 320, 3), np.uint8), [(Box(100, 80, 180, 180), "bob", True)])
    >>> drawn[80, 140].tolist()
    [0, 120, 50]
    """
    height, width = rgb.shape[:2]
    placed = [
        (pixel_region(box, width, height), spell_out_undrawable(_one_line(text)), known)
        for box, text, known in labels
    ]
    shown = [(rect, text, known) for rect, text, known in placed if rect is not None]
    picture = Image.fromarray(rgb)
    canvas = ImageDraw.Draw(picture)
    line = max(1, round(min(width, height) / 240))
    for rect, _, known in shown:
        _draw_box(canvas, rect, _KNOWN_COLOUR if known else _UNKNOWN_COLOUR, line)
    taken: list[_Rect] = []
    for index, (rect, text, known) in enumerate(shown):
        if not text:
            continue
        others = [other for place, (other, _, _) in enumerate(shown) if place != index]
        tag = _place_tag(rect, text, (width, height), others, taken)
        taken.append(tag.plate)
        _draw_tag(canvas, tag, _KNOWN_COLOUR if known else _UNKNOWN_COLOUR)
    return copy_rgb(picture)


def save_image(rgb: Rgb, path: str | os.PathLike[str]) -> None:
    """Save a picture as JPEG or PNG, depending on the suffix; the file appears whole or not at all.

    Raises BadImage for any other suffix, CannotWrite if the file cannot be written.

    >>> import numpy as np
    >>> save_image(np.zeros((8, 8, 3), np.uint8), "face.bmp")
    Traceback (most recent call last):
    ...
    face_det.errors.BadImage: face.bmp: must end in .jpg, .jpeg, .png, got '.bmp'
    """
    target = Path(path)
    kind = _SUFFIXES.get(target.suffix.lower())
    if kind is None:
        raise BadImage(f"{target}: must end in {', '.join(_SUFFIXES)}, got {target.suffix!r}")
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    options = {"quality": 92, "subsampling": 0} if kind == "JPEG" else {}  # keeps thin coloured lines sharp
    try:
        try:
            with part.open("xb") as file:
                Image.fromarray(rgb).save(file, kind, **options)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise CannotWrite(f"{target}: cannot be written: {error.strerror or error}") from error


def _one_line(text: str) -> str:
    """Remove what no font can show: line breaks, control characters, lone surrogates."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text[:_MAX_LETTERS]).split())


def _draw_box(canvas: ImageDraw.ImageDraw, rect: _Rect, colour: _Colour, line: int) -> None:
    """Draw a coloured frame with a white one inside it, so that it shows on any background."""
    left, top, right, bottom = rect
    canvas.rectangle((left, top, right - 1, bottom - 1), outline=colour, width=line)
    if min(right - left, bottom - top) > 6 * line:
        inner = max(1, line // 3)
        edges = (left + line, top + line, right - 1 - line, bottom - 1 - line)
        canvas.rectangle(edges, outline=_WHITE, width=inner)


def _draw_tag(canvas: ImageDraw.ImageDraw, tag: _LabelTag, colour: _Colour) -> None:
    left, top, right, bottom = tag.plate
    canvas.rectangle((left, top, right - 1, bottom - 1), fill=colour)
    x, baseline = float(left + tag.padding), top + tag.padding + _ascent(tag.parts)
    for text, font in tag.parts:
        canvas.text((x, baseline), text, _WHITE, font, anchor="ls")
        x += font.getlength(text)


def _place_tag(
    rect: _Rect, text: str, size: tuple[int, int], others: Sequence[_Rect], taken: Sequence[_Rect]
) -> _LabelTag:
    """Choose the largest label that hides no other face or label, or else the one that hides least.

    `others` are the other faces, `taken` the plates of the labels placed so far.
    """
    around = [_grown_rect(other) for other in others]

    def hidden(plate: _Rect) -> float:
        return _covered_area(plate, others) + 4.0 * _covered_area(plate, taken)

    def cost(plate: _Rect) -> float:
        # Prefer covering its own face to covering another, and keep away from faces it could seem to name.
        return hidden(plate) + 0.5 * _covered_area(plate, [rect]) + 0.2 * _covered_area(plate, around)

    tags: list[_LabelTag] = []
    for letters in _letter_sizes(rect, size):
        padding = max(1, letters // 6)
        parts = _letter(_shorten_text(text, letters, size[0] - 2 * padding), letters)
        wide = min(size[0], round(_length(parts)) + 2 * padding)
        descent = max(font.getmetrics()[1] for _, font in parts)
        high = min(size[1], _ascent(parts) + descent + 2 * padding)
        tags.append(_LabelTag(min(_candidate_plates(rect, wide, high, size), key=cost), parts, padding))
        if not hidden(tags[-1].plate):
            return tags[-1]
    return min(tags, key=lambda tag: cost(tag.plate))


def _letter_sizes(rect: _Rect, size: tuple[int, int]) -> list[int]:
    """List letter sizes in pixels to try: one that suits picture and face, then smaller ones for crowds."""
    picture, face = min(size), rect[3] - rect[1]
    fitting = min(picture / 28, max(picture / 42, face / 4))
    return sorted({max(_MIN_LETTER_PX, round(fitting * share)) for share in (1.0, 0.8, 0.6)}, reverse=True)


def _candidate_plates(rect: _Rect, wide: int, high: int, size: tuple[int, int]) -> Iterator[_Rect]:
    """Yield places for a label, best first: above, below, beside, inside; always within the picture."""
    left, top, right, bottom = rect
    middle = (left + right - wide) // 2
    for x, y in (
        *((x, y) for y in (top - high, bottom) for x in (left, right - wide, middle)),
        *((x, y) for x in (right, left - wide) for y in (top, bottom - high)),
        (left, bottom - high),
        (left, top),
    ):
        x, y = min(max(x, 0), size[0] - wide), min(max(y, 0), size[1] - high)
        yield x, y, x + wide, y + high


def _covered_area(plate: _Rect, rects: Sequence[_Rect]) -> int:
    """Return the area in pixels that a plate covers of some rectangles."""
    left, top, right, bottom = plate
    return sum(
        max(0, min(right, rect[2]) - max(left, rect[0])) * max(0, min(bottom, rect[3]) - max(top, rect[1]))
        for rect in rects
    )


def _grown_rect(rect: _Rect) -> _Rect:
    """Enlarge a face's box by the hair and chin that detectors leave out."""
    left, top, right, bottom = rect
    wide, high = (right - left) // 4, (bottom - top) // 4
    return left - wide, top - high, right + wide, bottom + high


def _shorten_text(text: str, letters: int, wide: int) -> str:
    """Return the text, or as much of its start as fits with an ellipsis, in `wide` pixels."""
    if _length(_letter(text, letters)) <= wide:
        return text

    def length(count: int) -> int:
        return math.ceil(_length(_letter(text[:count] + "\u2026", letters)))

    kept = bisect.bisect_right(range(len(text)), wide, key=length)
    return text[: max(0, kept - 1)].rstrip() + "\u2026"


def _letter(text: str, letters: int) -> list[_Lettering]:
    """Split a text into parts of one font each, at a size of `letters` pixels."""
    return [(run.text, _open_font(run.font, letters)) for run in split_by_font(text)]


def _length(parts: Sequence[_Lettering]) -> float:
    return sum(font.getlength(text) for text, font in parts)


def _ascent(parts: Sequence[_Lettering]) -> int:
    return max(font.getmetrics()[0] for _, font in parts)


@functools.lru_cache(maxsize=32)
def _open_font(font: FontFile | None, letters: int) -> ImageFont.FreeTypeFont:
    """Open a font at a size; without one, Pillow's own, which has the letters of Western Europe."""
    if font is not None:
        return ImageFont.truetype(str(font.path), letters, font.index)
    default = ImageFont.load_default(letters)
    assert isinstance(default, ImageFont.FreeTypeFont)  # all Pillow's wheels have FreeType
    return default
