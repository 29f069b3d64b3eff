"""Runs a network in OpenCV, for files that no other runtime reads: Caffe's and TensorFlow Lite's."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from face_det.errors import ConfigError
from face_det.nets.compute import Compute
from face_det.nets.sessions.backend import BackendError, Feeds

OPENCV = f"OpenCV {cv2.__version__}"


class OpencvSession:
    """A Backend that runs a network in OpenCV, in fp32 on the processor, with OpenCV's own threads.

    `files` are a TFLite file, or Caffe's weights and layers. The outputs are in the alphabetical order of
    their names.
    """

    name = "opencv"

    def __init__(self, files: Sequence[Path], compute: Compute) -> None:
        _refuse_others(files[0], compute)
        try:
            if len(files) == 1:
                self._net = cv2.dnn.readNetFromTFLite(str(files[0]))
            else:
                weights, layers = files
                self._net = cv2.dnn.readNetFromCaffe(str(layers), str(weights))
            self._outputs = sorted(self._net.getUnconnectedOutLayersNames())
        except cv2.error as error:
            raise _backend_error(error) from error
        # The network keeps its input, and what it has computed, until the next run.
        self._lock = threading.Lock()

    def run(self, feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        """Compute all outputs from one input; see Backend."""
        (value,) = feeds.values()
        try:
            with self._lock:
                self._net.setInput(value)
                return [np.asarray(each, np.float32) for each in self._net.forward(self._outputs)]
        except cv2.error as error:
            raise _backend_error(error) from error


def _refuse_others(file: Path, compute: Compute) -> None:
    """Raise ConfigError for what OpenCV does not do."""
    asked = [
        ("device", compute.device, "cpu"),
        ("precision", compute.precision, "fp32"),
        ("runtime", compute.runtime if compute.runtime in ("onnxruntime", "openvino") else "auto", "auto"),
    ]
    faults = [
        f"{key}: must be {right} for {file.name}, which only OpenCV runs, got {value}; "
        "or choose another detector"
        for key, value, right in asked
        if value != right
    ]
    if faults:
        raise ConfigError(faults[:1])


def _backend_error(error: cv2.error) -> BackendError:
    return BackendError(OPENCV, (error.err or str(error)).strip().splitlines()[0])
