"""One random stream for each use of randomness, so that no use disturbs another."""

from __future__ import annotations

import hashlib

import torch


def generator(role: str, seed: int, name: str = "") -> torch.Generator:
    """Return a CPU generator seeded by a hash of (role, seed, name).

    Args:
        role: what is drawn, such as "mask", "init" or "order".
        seed: the run's seed for that role, any integer.
        name: the tensor or epoch it is for.

    The same three arguments give the same numbers in any process, whatever was drawn before; draw on the CPU and
    move the result, so that a GPU sees the same numbers.
    """
    digest = hashlib.sha256(f"{role}\0{seed}\0{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
