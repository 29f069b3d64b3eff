"""The default detector finds what minFace asks for, and saves the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from face_det.boxes import intersection_over_union
from face_det.detectors import auto
from face_det.detectors.auto import MAX_SCALE, AutoDetector, choose_scale
from face_det.detectors.cnn import CnnDetector
from face_det.detectors.yunet import YunetDetector
from face_det.types import Detection, Rgb


def group_of(path: Path, face_px: float) -> tuple[Rgb, list[Detection]]:
    """A group photo whose smallest face is `face_px` wide, and YuNet's faces in the large original."""
    picture = PIL.Image.open(path).convert("RGB")
    large = YunetDetector().detect(np.array(picture))
    factor = face_px / min(face.box.width for face in large)
    size = round(picture.width * factor), round(picture.height * factor)
    return np.array(picture.resize(size, PIL.Image.Resampling.BOX)), large


@pytest.mark.parametrize("face_px", [16, 24, 40])
def test_faces_as_small_as_wanted_are_found(photos: Mapping[str, Path], face_px: int) -> None:
    """All six of the group, each where it is in the original."""
    rgb, expected = group_of(photos["t1"], face_px)
    found = AutoDetector(min_face_px=face_px).detect(rgb)
    assert len(expected) >= 6
    factor = face_px / min(face.box.width for face in expected)
    for one in expected:
        middle = (one.box.xmin + one.box.xmax) / 2 * factor, (one.box.ymin + one.box.ymax) / 2 * factor
        assert any(
            face.box.xmin < middle[0] < face.box.xmax and face.box.ymin < middle[1] < face.box.ymax
            for face in found
        )


def test_larger_faces_are_the_same_at_another_scale(photos: Mapping[str, Path]) -> None:
    """A larger minFace saves work and loses no face that is large enough."""
    rgb, _ = group_of(photos["t1"], 40)
    everybody = AutoDetector(min_face_px=16).detect(rgb)
    choosy = AutoDetector(min_face_px=40).detect(rgb)
    assert len(everybody) >= 6
    for face in everybody:
        if min(face.box.width, face.box.height) >= 40:
            assert max(intersection_over_union(face.box, other.box) for other in choosy) > 0.7


def test_a_coarse_search_finds_the_same_large_faces(photos: Mapping[str, Path]) -> None:
    """All that are large enough, where a full search sees them; of smaller ones it promises nothing."""
    detector = AutoDetector(min_face_px=16)
    rgb, _ = group_of(photos["t1"], 40)
    everybody, coarse = detector.detect(rgb), detector.detect_from(rgb, 40)
    assert len(coarse) == len(everybody) >= 6
    for face in everybody:
        assert max(intersection_over_union(face.box, other.box) for other in coarse) > 0.7
    assert all(face.landmarks is None for face in coarse)
    rgb, _ = group_of(photos["t1"], 16)
    assert len(detector.detect_from(rgb, 96)) < len(detector.detect(rgb))
    boxes = [[face.box for face in detector.detect_from(rgb, least)] for least in (0, 15, 16)]
    assert boxes == [[face.box for face in detector.detect(rgb)]] * 3, "never finer than minFace asks for"


def test_landmarks_are_left_to_the_aligner(photos: Mapping[str, Path]) -> None:
    """And the number of doublings changes nothing."""
    rgb, _ = group_of(photos["t1"], 40)
    once, twice = (AutoDetector(min_face_px=30).detect(rgb, upsample) for upsample in (0, 2))
    assert all(face.landmarks is None for face in once)
    assert [face.box for face in once] == [face.box for face in twice] != []


def test_faces_of_any_size_are_searched_for_within_bounds() -> None:
    """Without a least size, the scale is the greatest there is."""
    assert choose_scale(0) == MAX_SCALE
    assert choose_scale(24) == 1


def test_without_yunets_weights_it_is_the_cnn(
    photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation that has only dlib's weights works, and doubles as numFaceImgUpsample says."""
    monkeypatch.setattr(auto, "weights_available", lambda name: False)
    rgb = np.array(PIL.Image.open(photos["obama"]).convert("RGB").resize((160, 200)))
    found, expected = AutoDetector(min_face_px=16), CnnDetector()
    for detect in (found.detect, found.detect_in_person, lambda rgb, up: found.detect_from(rgb, 16, up)):
        assert [face.box for face in detect(rgb, 1)] == [face.box for face in expected.detect(rgb, 1)] != []
