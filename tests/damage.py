"""Damage as disks, kills and bad copies do it."""

from __future__ import annotations

import random
from collections.abc import Iterator


def damages(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Damaged contents: bits flipped, cut, emptied, zeroed in part."""
    draw = random.Random(seed)
    for number in range(count):
        bad = bytearray(content)
        if number % 4 == 3:
            del bad[draw.randrange(len(bad)) :]
        elif number % 4 == 2:
            start = draw.randrange(len(bad))
            bad[start : start + 500] = bytes(len(bad[start : start + 500]))
        else:
            for _ in range((1, 50)[number % 4]):
                bad[draw.randrange(len(bad))] ^= 1 << draw.randrange(8)
        if bytes(bad) != content:
            yield bytes(bad)
