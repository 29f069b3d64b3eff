"""The limits on a fuzz target: time for an input, and memory."""

from __future__ import annotations

INPUT_TIMEOUT_S = 5
"""An input that takes longer than this is a finding."""
EXTRA_MEMORY_MB = 1024
"""Memory a target may use beyond what its libraries have allocated."""
