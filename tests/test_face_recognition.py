"""face_det.face_recognition does what the real package does, function by function."""

from __future__ import annotations

import inspect
import io
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dlib
import numpy as np
import PIL.Image
import pytest
from PIL import ImageFile
from reference import load_reference

from face_det import face_recognition as ours
from face_det.embedders import alignment
from face_det.face_recognition import (
    __all__,
    _load_detector,
    _load_embedder,
    batch_face_locations,
    compare_faces,
    face_distance,
    face_encodings,
    face_landmarks,
    face_locations,
    load_image_file,
)
from face_det.nets.catalogue import weights_path
from face_det.registry import Menu
from face_det.types import Rgb

real = load_reference()

FUNCTIONS = (
    "batch_face_locations",
    "compare_faces",
    "face_distance",
    "face_encodings",
    "face_landmarks",
    "face_locations",
    "load_image_file",
)
Location = tuple[int, int, int, int]
NEAR = 1e-5
"""How far an encoding may be from the reference's (L2)."""


def small(path: Path, width: int = 240) -> Rgb:
    picture = PIL.Image.open(path).convert("RGB")
    picture.thumbnail((width, width))
    return np.array(picture)


def grey(rgb: Rgb) -> Rgb:
    return np.array(PIL.Image.fromarray(rgb).convert("L"))


def at_the_edge(photos: Mapping[str, Path], corner: str = "top left") -> tuple[Rgb, Location]:
    """An image cut so close that the face's box sticks out of it, and that box as HOG gives it."""
    rgb = small(photos["obama"], 300)
    top, right, bottom, left = real.face_locations(rgb)[0]
    parts = {"top left": rgb[top:, left:], "bottom right": rgb[: bottom - 8, : right - 8]}
    cut = np.ascontiguousarray(parts[corner])
    (rect,) = real.api.face_detector(cut, 1)
    height, width = cut.shape[:2]
    out = {
        "top left": rect.top() < 0 and rect.left() < 0,
        "bottom right": rect.bottom() > height and rect.right() > width,
    }
    assert out[corner]
    return cut, (rect.top(), rect.right(), rect.bottom(), rect.left())


def assert_same_encodings(got: list[Any], expected: list[Any]) -> None:
    assert isinstance(got, list)
    assert len(got) == len(expected) >= 1
    for one, other in zip(got, expected, strict=True):
        assert (type(one), one.dtype, one.shape) == (type(other), other.dtype, other.shape)
        assert np.linalg.norm(one - other) < NEAR


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures(name: str) -> None:
    """Parameters, their order and their defaults match, so every call of the package's is one of ours."""

    def parameters(module: Any) -> list[tuple[str, Any, Any]]:
        found = inspect.signature(getattr(module, name)).parameters.values()
        return [(parameter.name, parameter.kind, parameter.default) for parameter in found]

    assert parameters(ours) == parameters(real)
    assert name in __all__
    assert set(__all__) == set(FUNCTIONS)


@pytest.mark.parametrize("name", ["obama", "t1", "astronaut", "obama_partial", "nobody"])
def test_hog_locations(photos: Mapping[str, Path], name: str) -> None:
    """The same tuples of int in the same order, in colour and in grey."""
    rgb = small(photos[name], 500)
    for image in (rgb, grey(rgb), np.asfortranarray(rgb), rgb[:, ::-1, ::-1]):
        got = face_locations(image)
        assert got == real.face_locations(image)
        assert {type(edge) for face in got for edge in face} <= {int}
    assert face_locations(rgb, 0, "nonsense") == real.face_locations(rgb, 0, "nonsense")


@pytest.mark.parametrize(("name", "upsample"), [("biden", 0), ("t1", 0), ("hanks", 1), ("nobody", 0)])
def test_cnn_locations(photos: Mapping[str, Path], name: str, upsample: int) -> None:
    """The network's boxes match too; they are trimmed to the image."""
    rgb = small(photos[name], 180)
    for image in (rgb, grey(rgb)):
        got = face_locations(image, upsample, model="cnn")
        assert got == real.face_locations(image, upsample, model="cnn")
        assert {type(edge) for face in got for edge in face} <= {int}


@pytest.mark.parametrize("corner", ["top left", "bottom right"])
def test_boxes_at_the_edge_are_trimmed(photos: Mapping[str, Path], corner: str) -> None:
    """A face that sticks out of the image gets a box that does not."""
    image, (top, right, bottom, left) = at_the_edge(photos, corner)
    height, width = image.shape[:2]
    expected = [(max(top, 0), min(right, width), min(bottom, height), max(left, 0))]
    assert face_locations(image) == real.face_locations(image) == expected


def test_batches(photos: Mapping[str, Path]) -> None:
    """A list of lists, in order; images of two sizes are rejected as they are there."""
    image = small(photos["obama"], 160)
    images = [image, grey(image[:, ::-1])]
    got = batch_face_locations(images, 1, batch_size=2)
    assert got == real.batch_face_locations(images, 1, batch_size=2)
    assert all(len(faces) == 1 for faces in got)
    assert batch_face_locations([]) == real.batch_face_locations([]) == []
    with pytest.raises(RuntimeError, match="must all have the same dimensions"):
        batch_face_locations([image, image[1:]])


@pytest.mark.parametrize("model", ["large", "small"])
def test_landmarks(photos: Mapping[str, Path], model: str) -> None:
    """The same features with the same points, for faces found and given, in colour and grey."""
    rgb = small(photos["t1"], 640)
    known = real.face_locations(rgb, 1)
    assert len(known) > 1
    for image in (rgb, grey(rgb)):
        assert face_landmarks(image, model=model) == real.face_landmarks(image, model=model)
        assert face_landmarks(image, known, model) == real.face_landmarks(image, known, model)
        as_array = np.array(known)
        assert face_landmarks(image, as_array, model) == real.face_landmarks(image, known, model)
    assert face_landmarks(rgb, [], model) == []
    assert {type(at) for at in face_landmarks(rgb, known, model)[0]["nose_tip"][0]} == {int}


def test_landmarks_of_a_face_at_the_edge(photos: Mapping[str, Path]) -> None:
    """Found faces keep the part of their box outside the image, on which the landmarks depend."""
    image, whole = at_the_edge(photos)
    got = face_landmarks(image)
    assert got == real.face_landmarks(image) == face_landmarks(image, [whole])
    assert got != face_landmarks(image, face_locations(image))


@pytest.mark.parametrize("model", ["small", "large", "nonsense"])
def test_encodings(photos: Mapping[str, Path], model: str) -> None:
    """The reference's encodings, for faces found and faces given, with either kind of landmarks."""
    rgb = small(photos["t1"], 640)
    known = real.face_locations(rgb, 1)[:2]
    given = face_encodings(rgb, known, model=model)
    assert_same_encodings(given, real.face_encodings(rgb, known, model=model))
    cut, whole = at_the_edge(photos, "bottom right")
    found = face_encodings(cut, model=model)
    assert_same_encodings(found, real.face_encodings(cut, model=model))
    trimmed = face_encodings(cut, face_locations(cut), model=model)
    assert np.linalg.norm(found[0] - trimmed[0]) > 100 * NEAR
    assert_same_encodings(face_encodings(cut, [whole], model=model), found)


def test_odd_boxes(photos: Mapping[str, Path]) -> None:
    """Boxes outside, inverted or of one pixel are encoded, as they are there."""
    rgb = small(photos["obama"])
    boxes = [(-500, 900, 900, -500), (200, 10, 10, 200), (2000, 2100, 2100, 2000), (50, 50, 50, 50)]
    assert_same_encodings(face_encodings(rgb, boxes), real.face_encodings(rgb, boxes))


@pytest.mark.slow
def test_jitters(photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a new process, the same resamples give face after face the same average."""
    rgb = small(photos["t1"], 640)
    known = real.face_locations(rgb, 1)[:2]
    np.save(tmp_path / "rgb.npy", rgb)
    code = f"""
import numpy as np
from face_det import face_recognition
np.save("out.npy", face_recognition.face_encodings(np.load("rgb.npy"), {known}, 3))
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    fresh = dlib.face_recognition_model_v1(str(weights_path("resnet")))
    monkeypatch.setattr(real.api, "face_encoder", fresh)
    got = list(np.load(tmp_path / "out.npy"))
    assert_same_encodings(got, real.face_encodings(rgb, known, 3))
    assert np.linalg.norm(got[0] - face_encodings(rgb, known)[0]) > 100 * NEAR


@pytest.mark.parametrize("jitters", [-1, 0, 1, True, np.int64(1)])
def test_no_jitters(photos: Mapping[str, Path], jitters: int) -> None:
    """One jitter or fewer leaves the face as it is."""
    rgb = small(photos["obama"])
    known = real.face_locations(rgb)
    assert_same_encodings(face_encodings(rgb, known, jitters), real.face_encodings(rgb, known, jitters))


def test_slices_of_images_are_images(photos: Mapping[str, Path]) -> None:
    """A slice of a frame, or a frame with its colours reversed, needs no copy before it is encoded."""
    rgb = small(photos["obama"])
    known = real.face_locations(rgb)
    assert_same_encodings(
        face_encodings(rgb[:, :, ::-1], known),
        real.face_encodings(np.ascontiguousarray(rgb[:, :, ::-1]), known),
    )


def test_distances(photos: Mapping[str, Path]) -> None:
    """An array of distances and a list of booleans; both empty for nobody."""
    people = [face_encodings(small(photos[name], 400))[0] for name in ("obama", "obama2", "biden")]
    for known in (people, tuple(people), np.array(people), []):
        got, expected = face_distance(known, people[0]), real.face_distance(known, people[0])
        np.testing.assert_array_equal(got, expected)
        assert (type(got), got.dtype) == (type(expected), expected.dtype)
        for tolerance in (0.6, 0.1, 0):
            decided = compare_faces(known, people[0], tolerance)
            assert decided == real.compare_faces(known, people[0], tolerance)
            assert isinstance(decided, list)
    assert compare_faces(people, people[0]) == [True, True, False]


def test_loading_pictures(photos: Mapping[str, Path], tmp_path: Path) -> None:
    """Paths and open files, colour and grey; EXIF is ignored, and a grey image becomes RGB."""
    turned = tmp_path / "turned.jpg"
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(small(photos["obama"])).save(turned, exif=exif)
    for source in (photos["obama"], str(photos["biden"]), photos["hanks"], turned):
        for mode in ("RGB", "L", None):
            got, expected = load_image_file(source, mode), real.load_image_file(source, mode)
            np.testing.assert_array_equal(got, expected)
            assert (got.dtype, got.flags.writeable) == (expected.dtype, expected.flags.writeable)
    with turned.open("rb") as file:
        np.testing.assert_array_equal(load_image_file(file), real.load_image_file(turned))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_truncated_pictures(photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The missing part of an image is filled in, also where the reference was never imported."""
    whole = io.BytesIO()
    PIL.Image.fromarray(small(photos["obama"])).save(whole, kind)
    cut = whole.getvalue()[: len(whole.getvalue()) * 2 // 3]
    expected = real.load_image_file(io.BytesIO(cut))
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
    np.testing.assert_array_equal(load_image_file(io.BytesIO(cut)), expected)


A_FACE = [(30, 196, 105, 121)]
WRONG: dict[str, Callable[[Any, Rgb], Any]] = {
    "no file": lambda module, rgb: module.load_image_file("/no/such/picture.jpg"),
    "no picture": lambda module, rgb: module.load_image_file(__file__),
    "no such mode": lambda module, rgb: module.load_image_file(io.BytesIO(b""), "nonsense"),
    "hog, floats": lambda module, rgb: module.face_locations(rgb / 255),
    "hog, four channels": lambda module, rgb: module.face_locations(np.dstack([rgb, rgb])[..., :4]),
    "hog, no array": lambda module, rgb: module.face_locations(rgb.tolist()),
    "hog, half a doubling": lambda module, rgb: module.face_locations(rgb, 0.5),
    "hog, less than none": lambda module, rgb: module.face_locations(rgb, -1),
    "cnn, floats": lambda module, rgb: module.face_locations(rgb / 255, 0, "cnn"),
    "cnn, 16 bits": lambda module, rgb: module.face_locations(rgb.astype(np.uint16), 0, "cnn"),
    "cnn, no image": lambda module, rgb: module.face_locations(None, 0, "cnn"),
    "cnn, no pixels": lambda module, rgb: module.face_locations(rgb[:0], 0, "cnn"),
    "cnn, half a doubling": lambda module, rgb: module.face_locations(rgb, 0.5, "cnn"),
    "batch, one image": lambda module, rgb: module.batch_face_locations(rgb, 0),
    "batch, two sizes": lambda module, rgb: module.batch_face_locations([rgb, rgb[1:]], 0),
    "batch, floats": lambda module, rgb: module.batch_face_locations([rgb / 255], 0),
    "batch, no size": lambda module, rgb: module.batch_face_locations([rgb], 0, None),
    "landmarks, model": lambda module, rgb: module.face_landmarks(rgb, A_FACE, "nonsense"),
    "landmarks, no face": lambda module, rgb: module.face_landmarks(rgb, [], model="nonsense"),
    "landmarks, floats": lambda module, rgb: module.face_landmarks(rgb / 255, A_FACE),
    "landmarks, box of floats": lambda module, rgb: module.face_landmarks(rgb, [(1.5, 90.0, 90.0, 1.5)]),
    "landmarks, half a box": lambda module, rgb: module.face_landmarks(rgb, [(1, 2)]),
    "encodings, grey": lambda module, rgb: module.face_encodings(grey(rgb), A_FACE),
    "encodings, floats": lambda module, rgb: module.face_encodings(rgb / 255, A_FACE),
    "encodings, half a jitter": lambda module, rgb: module.face_encodings(rgb, A_FACE, 1.5),
    "distance, nothing": lambda module, rgb: module.face_distance(None, np.zeros(128)),
    "distance, two lengths": lambda module, rgb: module.face_distance([np.zeros(128)], np.zeros(5)),
    "distance, not a list": lambda module, rgb: module.face_distance(np.zeros(128), np.zeros(128)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_errors(photos: Mapping[str, Path], wrong: str) -> None:
    """What is rejected there is rejected here, with the same kind of error."""
    rgb = small(photos["obama"])
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whichever the reference raises
        WRONG[wrong](real, rgb)
    with pytest.raises(expected.type) as got:
        WRONG[wrong](ours, rgb)
    assert got.type is expected.type
    if expected.type is ValueError:
        assert str(got.value) == str(expected.value)


@pytest.mark.parametrize("call", ["face_locations", "face_landmarks", "face_encodings"])
def test_no_face_is_an_empty_list(photos: Mapping[str, Path], call: str) -> None:
    """An image of nobody is not an error, whatever else is asked for."""
    assert getattr(ours, call)(small(photos["nobody"])) == []
    assert face_encodings(grey(small(photos["nobody"]))) == []


def test_nothing_is_loaded_on_import() -> None:
    """Importing loads no network and no dlib."""
    code = """
import sys
from face_det import face_recognition
print([name for name in ("dlib", "onnxruntime", "cv2", "face_recognition_models") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_large_model_is_loaded_only_if_asked_for(
    photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The large model's weights are not free for every use, so only what needs them loads them."""
    loaded: list[str] = []
    load = alignment.load_landmark_predictor

    def recorded(name: str) -> Any:
        loaded.append(name)
        return load(name)

    monkeypatch.setattr(alignment, "load_landmark_predictor", recorded)
    _load_embedder.cache_clear()
    rgb = small(photos["obama"])
    face_encodings(rgb)
    face_landmarks(rgb, model="small")
    assert set(loaded) == {"landmarks5"}
    face_landmarks(rgb)
    assert set(loaded) == {"landmarks5", "landmarks68"}


def test_threads_share_one_network(photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first caller loads the network, once, and all get the right answer."""
    loads: list[str] = []
    create = Menu.create
    together = threading.Barrier(4)

    def recorded(menu: Menu[Any], name: str, **options: Any) -> Any:
        loads.append(name)
        return create(menu, name, **options)

    def find(rgb: Rgb) -> list[Any]:
        together.wait()
        return face_locations(rgb)

    monkeypatch.setattr(Menu, "create", recorded)
    _load_detector.cache_clear()
    images = [small(photos[name], 400) for name in ("obama", "biden", "t1", "nobody")]
    with ThreadPoolExecutor(len(images)) as pool:
        got = list(pool.map(find, images))
    assert got == [real.face_locations(image) for image in images]
    assert loads == ["hog"]
