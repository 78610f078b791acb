"""What a run was made with: the versions and the kind of machine."""

from __future__ import annotations

import platform

import torch


def environment(device: torch.device) -> dict[str, str | int]:
    """Return the versions and the kind of machine that a run was made with; nothing that names the machine."""
    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "device": device.type,
        "hardware": accelerator,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
