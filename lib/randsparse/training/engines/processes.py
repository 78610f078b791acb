"""The processes that train one run together, as `start` or torchrun starts them, and what they tell each other."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, distributed

from randsparse.errors import StudyError

Value = TypeVar("Value")
PATIENCE = timedelta(hours=1)
"""How long a process waits for the others before it gives up: listing a folder or waiting for a sweep takes time."""


@dataclass(frozen=True)
class Processes:
    """This process and those beside it; alone unless `start` or torchrun has started more.

    Args:
        rank, size: which of how many processes this is, from 0. The first one writes files.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and talks to the user."""
        return self.rank == 0

    def agree(self, error: str | None) -> None:
        """Raise StudyError in all processes if one of them has an error; all of them must call this."""
        failed = torch.tensor([error is not None], dtype=torch.uint8)
        if self.size > 1:  # most often there is none, and one byte tells
            distributed.all_reduce(failed, distributed.ReduceOp.MAX)
        if failed.item():
            raise StudyError(next(each for each in self.gathered(error) if each is not None))

    def gathered(self, value: Value) -> list[Value]:
        """Return the values of all processes, in the order of their ranks."""
        values: list[Value] = [value] * self.size
        if self.size > 1:
            distributed.all_gather_object(values, value)
        return values

    def each_does(self, action: Callable[[], Value]) -> Value:
        """Return what `action` gives in this process; raises StudyError in all processes if it does in one."""
        value, error = None, None
        try:
            value = action()
        except StudyError as wrong:
            error = str(wrong)
        self.agree(error)
        return value

    def first_does(self, action: Callable[[], Value]) -> Value:
        """Return, in all processes, what `action` gives in the first one; raises StudyError as `each_does`."""
        values = [self.each_does(action if self.first else lambda: None)]
        if self.size > 1:
            distributed.broadcast_object_list(values)
        return values[0]

    def mean(self, *tensors: Tensor) -> None:
        """Replace tensors, in place, by their means over all processes."""
        for tensor in tensors if self.size > 1 else ():
            distributed.all_reduce(tensor)
            tensor /= self.size

    def interleaved(self, rows: Tensor, total: int) -> Tensor:
        """Return `total` rows, of which each process has those from its rank on, one in every `size`."""
        if self.size == 1:
            return rows
        padded = rows.new_zeros((-(-total // self.size), *rows.shape[1:]))
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        distributed.all_gather(parts, padded)
        return torch.stack(parts, 1).flatten(0, 1)[:total]


HERE = "LOCAL_WORLD_SIZE"
"""The variable of torchrun that says how many processes this machine has."""


MEETING = "RANDSPARSE_MEETING"
"""The variable that names the file at which processes of `start` meet; those of torchrun meet at an address."""
LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
GRACE_SECONDS = 10.0
"""How long the others may take to end by themselves after one process has failed."""


def start(command: Sequence[str], size: int) -> int:
    """Run a command in `size` processes of this machine that train together; return the exit status that is not 0.

    They meet at a file and listen on the loopback alone. Whatever ends this process or one of them ends all.
    """
    with tempfile.TemporaryDirectory() as folder:
        shared = {"OMP_NUM_THREADS": "1", **os.environ, "WORLD_SIZE": str(size), HERE: str(size)}
        shared |= {f"{name}_SOCKET_IFNAME": LOOPBACK for name in ("GLOO", "NCCL")}
        shared[MEETING] = Path(folder, "meeting").as_uri()
        ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(size)]
        processes = [subprocess.Popen(command, env=shared | rank) for rank in ranks]
        try:
            while None in (ended := [process.poll() for process in processes]) and not any(ended):
                time.sleep(0.1)
            until = time.monotonic() + GRACE_SECONDS
            while None in [process.poll() for process in processes] and time.monotonic() < until:
                time.sleep(0.1)
        finally:
            for process in processes:
                process.terminate()
            statuses = [process.wait() for process in processes]
        return next(filter(None, ended), next(filter(None, statuses), 0))


def _number(name: str, least: int) -> int:
    """Return a variable of torchrun; `least` where it is not set; raises StudyError for one that is no number."""
    text = os.environ.get(name, str(least))
    if not re.fullmatch("[0-9]{1,6}", text) or int(text) < least:
        raise StudyError(f"{name} is {text!r:.40}: torchrun sets it to a whole number from {least} up; unset it")
    return int(text)


ALONE = Processes()
"""This process by itself."""


@contextlib.contextmanager
def join(device: str | None = None) -> Iterator[tuple[Processes, str]]:
    """Join the processes that `start` or torchrun has started; yield them, and the device of this one.

    Args:
        device: "cpu" or "cuda"; None for cuda where there is a GPU. Each process of a machine has a GPU of its own.

    Raises StudyError for more processes than GPUs, and for variables of torchrun that it did not set.
    """
    size, local, wanted = (_number(name, least) for name, least in (("WORLD_SIZE", 1), ("LOCAL_RANK", 0), (HERE, 1)))
    meeting = os.environ.get(MEETING)
    if size > 1 and not meeting and not {"RANK", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys():
        raise StudyError(f"WORLD_SIZE is {size}, and torchrun did not start this process: use it, or unset WORLD_SIZE")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda":
        found = torch.cuda.device_count()
        if found < wanted:
            raise StudyError(
                f"device 'cuda': {found} usable GPUs and {wanted} processes on this machine: start no "
                "more processes than GPUs, or give device cpu"
            )
        torch.cuda.set_device(local)
        device = f"cuda:{local}"
    if size == 1:
        yield Processes(), device
        return
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    place = {"init_method": meeting, "rank": _number("RANK", 0), "world_size": size} if meeting else {}
    distributed.init_process_group(backend, timeout=PATIENCE, **place)
    try:
        yield Processes(distributed.get_rank(), size), device
    finally:
        distributed.destroy_process_group()
