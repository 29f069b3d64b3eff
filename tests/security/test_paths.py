"""Where a caller's path may lead: allowed folders, races, and things that are not regular files."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face_det.errors import BadImage
from face_det.media.allowed_paths import resolve_image_path
from face_det.media.image import load_image, read_image_bytes

RED, BLUE = (200, 0, 0), (0, 0, 200)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An allowed folder with a red picture in cam/; outside lies a blue one, in a folder of that name."""
    for folder, colour in (("allowed", RED), ("outside", BLUE)):
        (tmp_path / folder / "cam").mkdir(parents=True)
        Image.new("RGB", (8, 8), colour).save(tmp_path / folder / "cam/1.png")
    return tmp_path / "allowed"


def colour(path: Path | str, root: Path) -> tuple[int, ...]:
    """Return the colour of the picture at a caller's path."""
    rgb = load_image(resolve_image_path(str(path), roots=[root]), roots=[root])
    return tuple(np.unique(rgb.reshape(-1, 3), axis=0)[0].tolist())


def refusal(path: Path | str, root: Path) -> str:
    with pytest.raises(BadImage) as caught:
        colour(path, root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_inside(root: Path) -> None:
    """A path may be plain, contain .. or a link that stays inside, and the root may be a link."""
    (root / "link").symlink_to("cam")
    (root.parent / "alias").symlink_to(root)
    for path in (
        "cam/1.png",
        "cam/../cam/./1.png",
        "link/1.png",
        "../alias/cam/1.png",
        "../allowed/cam/1.png",
    ):
        assert colour(root / path, root) == RED
        assert colour(root / path, root.parent / "alias") == RED


@pytest.mark.parametrize(
    "path", ["../outside/cam/1.png", "cam/../../outside/cam/1.png", "out/cam/1.png", "1.png", "deep/1.png"]
)
def test_outside(root: Path, path: str) -> None:
    """Dots, links to a folder or a file, and chains of links are refused if they lead outside."""
    (root / "out").symlink_to(root.parent / "outside")
    (root / "1.png").symlink_to(root.parent / "outside/cam/1.png")
    (root / "deep").symlink_to(root / "out/cam")
    assert "leads outside" in refusal(root / path, root)


def test_a_name_that_only_begins_alike(root: Path) -> None:
    """The folder /allowed-too is not inside /allowed."""
    (root.parent / "outside").rename(root.parent / "allowed-too")
    assert "leads outside" in refusal(root.parent / "allowed-too/cam/1.png", root)


def test_the_root_itself_and_what_is_missing(root: Path) -> None:
    """A folder is not a picture, and a missing file is reported as such."""
    assert "a folder" in refusal(root, root)
    assert "file not found" in refusal(root / "cam/2.png", root)
    assert "not a folder" in refusal(root / "cam/1.png/2.png", root)


@pytest.mark.parametrize("swapped", ["cam", "cam/1.png"])
def test_a_link_put_in_place_after_the_check(root: Path, swapped: str) -> None:
    """The path was fine when it was resolved, but a folder on it, or the file, has been swapped since."""
    path = resolve_image_path(str(root / "cam/1.png"), roots=[root])
    (root / swapped).rename(root / "old")
    (root / swapped).symlink_to(root.parent / "outside" / swapped)
    for action in (load_image, read_image_bytes):
        with pytest.raises(BadImage):
            action(path, roots=[root])
    assert read_image_bytes(path)  # that is, without the roots


@pytest.mark.slow
def test_nobody_wins_the_race(root: Path) -> None:
    """While a folder and a link keep swapping, the picture outside is never read."""
    (root / "away").symlink_to(root.parent / "outside/cam")
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            (root / "cam").rename(root / "kept")
            (root / "away").rename(root / "cam")
            (root / "cam").rename(root / "away")
            (root / "kept").rename(root / "cam")

    swapping = threading.Thread(target=swap)
    swapping.start()
    seen = set()
    try:
        for _ in range(2000):
            try:
                seen.add(colour(root / "cam/1.png", root))
            except BadImage:
                seen.add(("refused",))
    finally:
        done.set()
        swapping.join()
    assert BLUE not in seen
    assert ("refused",) in seen


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "null", "zero", "tty"])
def test_what_is_no_file(tmp_path: Path, kind: str) -> None:
    """Special files are refused at once: a pipe without a writer does not block, devices stay closed."""
    path = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(f"/dev/{kind}")
    with pytest.raises(BadImage, match="must be "):
        load_image(path)
    with pytest.raises(BadImage, match=r"must be |must lie in|path into"):
        load_image(resolve_image_path(str(path), roots=[tmp_path]), roots=[tmp_path])


@pytest.mark.parametrize(
    "path",
    [
        "/proc/self/mem",
        "/proc/self/environ",
        "/proc/self/cmdline",
        "/proc/kcore",
        "/proc/self/root/etc/passwd",
        "/proc/1/../self/status",
        "/sys/kernel/vmcoreinfo",
        "/sys/power/state",
        "/dev/mem",
        "/dev/stdin",
        "//proc/self/maps",
    ],
)
def test_the_kernels_files(path: str, tmp_path: Path) -> None:
    """Kernel files are refused by name, through a link, and through a link that evades the check by name."""
    with pytest.raises(BadImage, match="path into"):
        resolve_image_path(path)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(BadImage, match=r"path into|must be a"):
        load_image(resolve_image_path(str(tmp_path / "link")))
    with pytest.raises(BadImage):
        load_image(path)


def test_a_file_of_the_kernel_is_known_by_its_disk(tmp_path: Path) -> None:
    """A regular file with a size, on /sys, is refused as the kernel's."""
    path = next(path for path in Path("/sys/kernel").iterdir() if path.is_file() and path.stat().st_size)
    with pytest.raises(BadImage, match="a file of the kernel's own"):
        read_image_bytes(path)


def test_the_limit_of_bytes(root: Path) -> None:
    """A sparse file of a terabyte is refused by its size."""
    with (root / "huge.jpg").open("wb") as file:
        file.truncate(2**40)
    assert "at most 100,000,000 bytes" in refusal(root / "huge.jpg", root)


def test_a_url_is_no_path() -> None:
    """It is shown as it was given."""
    with pytest.raises(BadImage, match=r"^http://camera/shot\.jpg: must be a file, got a URL"):
        resolve_image_path("http://camera/shot.jpg", roots=[Path("/tmp")])
