"""Which font draws which character, with fonts installed in a folder of one's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from drawn_fonts import write_font

from face_det.media import fonts
from face_det.media.annotate import annotate_faces
from face_det.media.fonts import explain_missing_fonts, spell_out_undrawable, split_by_font
from face_det.types import Box, Rgb

KANJI = "\U00030000\U00030001\U00030002"
"""Characters so rare that hardly any machine has a font for them."""
CODES = "U+30000 U+30001 U+30002"


@pytest.fixture(params=["fontconfig", "folders"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's folder of fonts, found by fontconfig, or without it."""
    if request.param == "folders":
        monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    elif shutil.which("fc-match") is None:
        pytest.skip("needs fontconfig")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fonts.installed_fonts.cache_clear()
    yield tmp_path / "data" / "fonts"
    fonts.installed_fonts.cache_clear()


def drawn(text: str) -> Rgb:
    return annotate_faces(np.full((480, 640, 3), 90, np.uint8), [(Box(300, 200, 400, 300), text, True)])


def used(text: str) -> list[tuple[str, str | None]]:
    return [(run.text, run.font.path.name if run.font else None) for run in split_by_font(text)]


def test_an_installed_font_draws_what_ours_does_not(folder: Path) -> None:
    """Each character has its own shape, in a label as long as it takes, beside letters in DejaVu Sans."""
    write_font(folder / "Kanji.ttf", KANJI)
    one, two, three = KANJI
    assert used(f"Zoë {one}{two} 97%") == [
        ("Zoë ", "DejaVuSans.ttf"),
        (one + two, "Kanji.ttf"),
        (" 97%", "DejaVuSans.ttf"),
    ]
    assert (drawn(one) != drawn(two)).any()
    assert (drawn(f"Zoë {one}") != drawn(f"Zoë {three}")).any()
    assert spell_out_undrawable(KANJI) == KANJI
    assert explain_missing_fonts([KANJI]) is None


def test_without_a_font_codes_are_drawn(folder: Path) -> None:
    """Legible and different for each character, and said once with the package that helps."""
    assert spell_out_undrawable(f"Zoë{KANJI}-Lee") == f"Zoë {CODES} -Lee"
    assert (drawn(KANJI) == drawn(CODES)).all()
    assert (drawn(KANJI[0]) != drawn(KANJI[1])).any()
    told = explain_missing_fonts([KANJI, "Zoë", KANJI[0]])
    assert told == (
        f"no installed font draws {CODES}, so pictures show these codes instead; "
        "on Debian and Ubuntu, install fonts-noto-cjk; elsewhere, the Noto fonts for those scripts"
    )


def test_a_word_stays_in_one_font(folder: Path) -> None:
    """Where letters join up, a font for half of a word would break it; marks stay with their letters."""
    one, two, three = KANJI
    write_font(folder / "A.ttf", one)
    write_font(folder / "B.ttf", one + two + " ", "Another drawn for a test")
    assert used(one + two) == [(one + two, "B.ttf")]
    assert used(f"{two} {one + two} Ann") == [(f"{two} {one + two} ", "B.ttf"), ("Ann", "DejaVuSans.ttf")]
    assert used(two + three) == [(two, "B.ttf"), (three, None)]
    assert used(f"{three}\u0300") == [(three, None), ("\u0300", "DejaVuSans.ttf")]


def test_broken_fonts_are_passed_over(folder: Path) -> None:
    """A file that is no font, and one that is cut off, hide none of the others."""
    whole = write_font(folder / "Kanji.ttf", KANJI).read_bytes()
    for tenths in range(1, 6):
        (folder / f"A{tenths}.ttf").write_bytes(whole[: len(whole) * tenths // 10])
    (folder / "B.ttf").write_bytes(b"no font")
    ((text, name),) = used(KANJI)
    assert text == KANJI
    assert name is not None
    assert (drawn(KANJI[0]) != drawn(KANJI[1])).any()


@pytest.mark.parametrize("text", ["Zoë 97%", "Łukasz", "Дмитрий", "Ελένη", "too blurry"])
def test_usual_names_search_for_nothing(text: str, folder: Path) -> None:
    """European names are drawn by DejaVu Sans alone."""
    assert used(text) == [(text, "DejaVuSans.ttf")]


@pytest.mark.parametrize(
    ("text", "package"),
    [("\U00030000", "fonts-noto-cjk"), ("\U00011d60", "fonts-noto-core"), ("\U0001fad0", "fonts-symbola")],
)
def test_the_package_is_that_of_the_script(text: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Han, Gunjala Gondi and emoji, on a machine without fonts."""
    monkeypatch.setattr(fonts, "installed_fonts", lambda: ())
    assert f"install {package};" in str(explain_missing_fonts([text]))


def test_what_has_no_shape_is_not_missed(folder: Path) -> None:
    """Control characters are never drawn, so no package is named for them."""
    assert explain_missing_fonts(["Ann\u200e", "\udce9", os.fsdecode(b"caf\xe9")]) is None
