from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face_det.errors import BadImage, CannotWrite
from face_det.media.annotate import annotate_faces, save_image
from face_det.media.image import load_image
from face_det.types import Box, Rgb

Label = tuple[Box, str, bool]
FACE = Box(300, 200, 400, 300)


def ground(width: int = 640, height: int = 480) -> Rgb:
    """A picture that has no pixel in any of the colours drawn."""
    return np.full((height, width, 3), 90, np.uint8)


def plates(rgb: Rgb, labels: list[Label]) -> npt.NDArray[np.bool_]:
    """Return the pixels that labels cover, text and background, as a mask of shape (H, W)."""
    without = annotate_faces(rgb, [(box, "", known) for box, _, known in labels])
    return np.asarray((annotate_faces(rgb, labels) != without).any(axis=2))


def extent(mask: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Return width and height of the set pixels."""
    rows, columns = np.nonzero(mask)
    return int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


def square(left: float, top: float, side: float) -> Box:
    return Box(left, top, left + side, top + side)


def test_the_picture_itself_is_left_alone() -> None:
    """The result is a copy of the same shape that may be drawn on again."""
    rgb = ground()
    drawn = annotate_faces(rgb, [(FACE, "Ada", True)])
    assert (rgb == ground()).all()
    assert (drawn != rgb).any()
    assert drawn.shape == rgb.shape
    assert drawn.dtype == np.uint8
    assert drawn.flags.writeable
    assert (annotate_faces(annotate_faces(rgb, []), []) == rgb).all()


def test_a_view_can_be_drawn_on() -> None:
    """Crops, which are not contiguous, and read-only arrays work too."""
    view = ground(1280, 960)[::2, ::2]
    view.flags.writeable = False
    assert (
        annotate_faces(view, [(FACE, "Ada", True)]) == annotate_faces(ground(), [(FACE, "Ada", True)])
    ).all()


def test_known_and_unknown_differ_in_colour() -> None:
    """Green for a known face, grey for a stranger; the box lies just within the face's pixels."""
    for known, strongest in ((True, 1), (False, 2)):
        drawn = annotate_faces(ground(), [(FACE, "", known)])
        assert int(drawn[200, 350].argmax()) == strongest
        for row, column in ((200, 300), (200, 399), (299, 300), (299, 399)):
            assert (drawn[row, column] == drawn[200, 350]).all()
        rows, columns = np.nonzero((drawn != ground()).any(axis=2))
        assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (200, 300, 300, 400)
        assert (drawn[240:260, 340:360] == 90).all()


def test_letters_and_lines_grow_with_the_picture() -> None:
    """A picture four times as large has a label about four times as large."""
    small = extent(plates(ground(), [(FACE, "Ada Lovelace", True)]))
    big_face = Box(1200, 800, 1600, 1200)
    big = extent(plates(ground(2560, 1920), [(big_face, "Ada Lovelace", True)]))
    for less, more in zip(small, big, strict=True):
        assert 3.4 < more / less < 4.6
    frame = annotate_faces(ground(2560, 1920), [(big_face, "", True)])[1000, 1200:1300]
    assert (frame == frame[0]).all(axis=1).sum() > (
        annotate_faces(ground(), [(FACE, "", True)])[250, 300:325] != 90
    ).any(axis=1).sum()


@pytest.mark.parametrize("left", [-60, 0, 270, 540, 600])
@pytest.mark.parametrize("top", [-60, 0, 190, 380, 440])
def test_labels_stay_inside(left: int, top: int) -> None:
    """At every edge and corner the label is as whole as in the middle, and off the face."""
    box = square(left, top, 100)
    shown = box.clipped(640, 480)
    label = [(box, "Ada Lovelace", True)]
    middle = [(Box(270, 190, 270 + shown.width, 190 + shown.height), "Ada Lovelace", True)]
    mask = plates(ground(), label)
    assert extent(mask) == extent(plates(ground(), middle))
    assert not mask[int(shown.ymin) : int(shown.ymax), int(shown.xmin) : int(shown.xmax)].any()


def test_a_face_that_fills_the_picture_gets_its_label_inside() -> None:
    """The label has its full size, because no other face is in the way."""
    inside = extent(plates(ground(), [(Box(0, 0, 640, 480), "Ada Lovelace", True)]))
    above = extent(plates(ground(), [(square(100, 100, 300), "Ada Lovelace", True)]))
    for one, other in zip(inside, above, strict=True):
        assert other - 4 <= one <= other  # less the frame's own pixels, which the plate lies on


def test_labels_do_not_hide_other_faces() -> None:
    """In a crowd of 28 with long names, every face is as it was within its frame."""
    rng = np.random.default_rng(4)
    rgb = rng.integers(60, 120, (600, 1050, 3), dtype=np.uint8)
    boxes = [square(50 + 150 * column, 40 + 150 * row, 60) for column in range(7) for row in range(4)]
    labels = [(box, "Дмитрий Менделеев", place % 3 != 0) for place, box in enumerate(boxes)]
    mask = plates(rgb, labels)
    assert mask.any()
    for box in boxes:
        assert not mask[int(box.ymin) : int(box.ymax), int(box.xmin) : int(box.xmax)].any()


def test_a_face_among_faces_keeps_its_label_to_itself() -> None:
    """With no room left, a label covers its own face rather than another's."""
    around = [
        (square(x, y, 100), "", True) for x in (0, 100, 200) for y in (0, 100, 200) if (x, y) != (100, 100)
    ]
    mask = plates(ground(300, 300), [*around, (square(100, 100, 100), "Ada", False)])
    assert mask[100:200, 100:200].sum() == mask.sum() > 100


def test_a_face_found_twice_shows_both_names() -> None:
    """Two boxes in one place: the second label moves aside."""
    both = plates(ground(), [(FACE, "Ada", True), (FACE, "Bob", True)])
    alone = [plates(ground(), [(FACE, name, True)]) for name in ("Ada", "Bob")]
    assert both.sum() == alone[0].sum() + alone[1].sum()


def test_labels_do_not_hide_each_other() -> None:
    """Faces that overlap keep a label each, whole: as many pixels of its colour as alone."""
    near = [(square(200, 100, 120), "Ada Lovelace", True), (square(230, 110, 120), "Unknown", False)]

    def count(labels: list[Label], known: bool) -> int:
        colour = annotate_faces(ground(), [(FACE, "", known)])[200, 350]
        drawn = annotate_faces(ground(), labels)
        return int(((drawn == colour).all(axis=2) & plates(ground(), labels)).sum())

    for label in near:
        alone = count([label], label[2])
        assert alone > 500
        assert count(near, label[2]) == alone


@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    boxes=st.lists(st.tuples(*[st.floats(-50, 350, allow_nan=False)] * 4), min_size=1, max_size=6),
    text=st.text(max_size=30),
)
@settings(max_examples=60, deadline=None)
def test_anything_can_be_drawn(size: tuple[int, int], boxes: list[tuple[float, ...]], text: str) -> None:
    """Any boxes, any text, any size of picture, down to a single pixel."""
    rgb = ground(*size)
    drawn = annotate_faces(rgb, [(Box(*edges), text, index % 2 == 0) for index, edges in enumerate(boxes)])
    assert drawn.shape == rgb.shape


@pytest.mark.parametrize(
    "box",
    [Box(float("nan"), 0, 9, 9), Box(0, 0, float("inf"), 9), Box(700, 10, 800, 90), Box(50, 9, 40, 90)],
)
def test_boxes_of_nothing_are_left_out(box: Box) -> None:
    """Boxes outside the picture, inverted ones and NaNs leave it unchanged."""
    assert (annotate_faces(ground(), [(box, "Ada", True)]) == ground()).all()


@pytest.mark.parametrize(("one", "two"), ["éè", "łż", "ΩΨ", "ЖЩ", "ňń", "ğş", "ệễ"])
def test_names_in_other_scripts_are_legible(one: str, two: str) -> None:
    """Each letter has its own shape; a font without them would show the same empty box twice."""
    assert (
        annotate_faces(ground(), [(FACE, one, True)]) != annotate_faces(ground(), [(FACE, two, True)])
    ).any()


@pytest.mark.parametrize("text", ["", "  ", "\n", "\0", "\ud800"])
def test_no_text_no_plate(text: str) -> None:
    """A text that no font can show gives a box without a label."""
    assert not plates(ground(), [(FACE, text, True)]).any()


def test_labels_are_one_line() -> None:
    """A line break or a control character becomes a space."""
    drawn = annotate_faces(ground(), [(FACE, "Ada\r\n\tLove\x07lace", True)])
    assert (drawn == annotate_faces(ground(), [(FACE, "Ada Love lace", True)])).all()


def test_shortened_names_are_not_cut_through() -> None:
    """The plate ends in its own colour, not in the middle of a letter."""
    label = [(FACE, "W" * 200, True)]
    mask, drawn = plates(ground(), label), annotate_faces(ground(), label)
    rows, columns = np.nonzero(mask)
    edge = drawn[rows.min() : rows.max() + 1, columns.max()]
    assert (edge == edge[0]).all()


def test_long_names_are_shortened() -> None:
    """A label is never wider than the picture, and its height shows that it is still one line."""
    wide, high = extent(plates(ground(), [(FACE, "Wolfeschlegelsteinhausenbergerdorff " * 300, True)]))
    assert 600 < wide <= 640
    assert high == extent(plates(ground(), [(FACE, "Wo", True)]))[1]
    assert extent(plates(ground(40, 40), [(square(10, 10, 12), "Ada Lovelace", True)]))[0] <= 40


# --- save ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.png", "a.PNG"])
def test_png_keeps_every_pixel(name: str, tmp_path: Path) -> None:
    """A picture saved as PNG loads unchanged."""
    rgb = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    save_image(rgb, tmp_path / name)
    assert (load_image(tmp_path / name) == rgb).all()


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "ä ö.jpg"])
def test_jpeg_keeps_the_colours(name: str, tmp_path: Path) -> None:
    """Lines one pixel wide in strong colours survive."""
    rgb = ground(64, 64)
    rgb[:, 31] = 70, 80, 100
    save_image(rgb, str(tmp_path / name))
    difference = load_image(tmp_path / name).astype(int) - rgb
    assert np.abs(difference).max() < 40
    assert (tmp_path / name).read_bytes().startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize("name", ["a.bmp", "a", "a.png.exe"])
def test_other_suffixes_are_refused(name: str, tmp_path: Path) -> None:
    """The suffix decides the format; there are three."""
    with pytest.raises(BadImage, match=r"must end in \.jpg, \.jpeg, \.png, got '"):
        save_image(ground(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk leaves the old file and nothing beside it."""
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWrite, match=r"a\.png: cannot be written: No space left on device"):
        save_image(ground(), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_no_such_folder(tmp_path: Path) -> None:
    """Missing folders are not created."""
    with pytest.raises(CannotWrite, match="No such file or directory"):
        save_image(ground(), tmp_path / "none" / "a.png")


def test_others_may_read_what_was_saved(tmp_path: Path) -> None:
    """The file's mode follows the umask, like that of any other file."""
    before = os.umask(0o027)
    try:
        save_image(ground(), tmp_path / "a.png")
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640
