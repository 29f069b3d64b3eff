"""Local face detection and recognition: an engine, a decision and a daemon."""

from __future__ import annotations

__version__ = "0.1.0"
