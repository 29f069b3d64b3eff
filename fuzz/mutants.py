"""Damaged copies of good files."""

from __future__ import annotations

import random
from typing import Any

LONGEST = 1 << 20
INTERESTING = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)


def mutated(rng: random.Random, data: bytes, pool: list[bytes], words: Any) -> bytes:
    """Return a copy with a few changes, most of them near the beginning, where headers are."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        reach = max(1, min(len(changed), rng.choice((16, 200, 3000, LONGEST))))
        at = rng.randrange(reach)
        kind = rng.randrange(9)
        if kind <= 1 and changed:
            changed[min(at, len(changed) - 1)] = rng.choice((*INTERESTING, rng.randrange(256)))
        elif kind == 2 and changed:
            changed[min(at, len(changed) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 3:
            del changed[at : at + rng.choice((1, 2, 4, 8, 100, LONGEST))]
        elif kind == 4:
            changed[at:at] = rng.randbytes(rng.choice((1, 2, 4, 8, 100)))
        elif kind == 5 and words:
            word = rng.choice(words)
            changed[at : at + rng.choice((0, len(word)))] = word
        elif kind == 6:
            size = rng.choice((1, 4, 16, 64))
            changed[at:at] = changed[at : at + size] * rng.choice((1, 2, 50))
        elif kind == 7:
            other = rng.choice(pool)
            start = rng.randrange(len(other) + 1)
            changed[at : at + rng.choice((0, 16, 200))] = other[start : start + rng.choice((4, 16, 200))]
        else:
            width = rng.choice((2, 4, 8))
            value = rng.choice((0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width) - 1, rng.randrange(2**16)))
            changed[at : at + width] = value.to_bytes(width, rng.choice(("big", "little")))
    return bytes(changed[:LONGEST])
