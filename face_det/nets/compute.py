"""How to run the networks: the values of runtime, precision, device and threads."""

from __future__ import annotations

from dataclasses import dataclass

from face_det.errors import ConfigError

RUNTIMES = ("auto", "native", "onnxruntime", "openvino")
PRECISIONS = ("fp32", "bf16")
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True, slots=True)
class Compute:
    """How to run the networks; the fields are named after the keys in config.json.

    Raises ConfigError, with one fault per key, for a combination that no machine supports. What this
    particular machine cannot do is reported when a network is loaded.

    >>> Compute(precision="bf16").library
    'openvino'
    >>> Compute(threads=0)
    Traceback (most recent call last):
        ...
    face_det.errors.ConfigError: threads: must be 1 or more, got 0
    """

    runtime: str = "auto"
    precision: str = "fp32"
    device: str = "cpu"
    threads: int = 1

    def __post_init__(self) -> None:
        """Reject unknown values and combinations that contradict each other."""
        if faults := [*self._unknown()] or [*self._contradictions()]:
            raise ConfigError(faults)

    @property
    def library(self) -> str:
        """The runtime to use. `auto` means OpenVINO for bf16, which only OpenVINO computes, else ONNX
        Runtime."""
        if self.runtime in ("onnxruntime", "openvino"):
            return self.runtime
        return "openvino" if self.precision == "bf16" else "onnxruntime"

    @property
    def native(self) -> bool:
        """True if our own compiled kernels may take part; `auto` uses them where they were built."""
        return self.runtime in ("auto", "native") and (self.precision, self.device) == ("fp32", "cpu")

    def _unknown(self) -> list[str]:
        menus = (
            ("runtime", self.runtime, RUNTIMES),
            ("precision", self.precision, PRECISIONS),
            ("device", self.device, DEVICES),
        )
        faults = [
            f"{key}: must be one of {', '.join(menu)}, got {value!r}"
            for key, value, menu in menus
            if value not in menu
        ]
        if self.threads < 1:
            faults.append(f"threads: must be 1 or more, got {self.threads}")
        return faults

    def _contradictions(self) -> list[str]:
        faults = []
        if self.precision == "bf16" and self.runtime in ("onnxruntime", "native"):
            faults.append(
                f"precision: must be fp32 with runtime {self.runtime}, got bf16; only openvino has it"
            )
        if self.device == "cuda" and self.precision == "bf16":
            faults.append("precision: must be fp32 with device cuda, got bf16")
        if self.device == "cuda" and self.runtime in ("openvino", "native"):
            faults.append(
                f"device: must be cpu with runtime {self.runtime}, got cuda; only onnxruntime has it"
            )
        return faults


DEFAULT_COMPUTE = Compute()
"""One thread on any processor, in fp32: the results equal dlib's."""
