"""Runs that leave their ordinary course in the middle of training: a fork in the order of batches, and a cool-down.

A *fork* (the instability analysis of Frankle et al. 2020) takes the order of batches and the augmentation from another
seed after `fork_epoch`. A *cool-down* follows the ordinary schedule, which spans `epochs`, up to `cooldown_epoch`; then
the learning rate falls linearly to zero within `cooldown_epochs`, where the run ends. Up to that epoch both are the
ordinary run, bit for bit.

The record of a cool-down is that of a complete run: the test part is evaluated at its end, and `last_epoch` says how
many epochs it has.
"""

from __future__ import annotations

import math
from typing import Protocol

from randsparse.errors import require
from randsparse.runs import methods


class Config(Protocol):
    """The fields that are read here of a `config.RunConfig`, which imports this file to be checked."""

    method: str
    epochs: int
    stop_epoch: int | None
    data_seed: int
    fork_epoch: int
    fork_seed: int | None
    cooldown_epoch: int
    cooldown_epochs: float


def check(config: Config) -> None:
    """Raise StudyError for values of a fork or of a cool-down that are not possible."""
    epochs, fork, after, length = config.epochs, config.fork_epoch, config.cooldown_epoch, config.cooldown_epochs
    require(fork < epochs, "fork_epoch", fork, f"below epochs ({epochs})")
    require(fork == 0 or config.fork_seed is not None, "fork_epoch", fork, "0 without a fork_seed")
    require(after < epochs, "cooldown_epoch", after, f"0 (no cool-down) or below epochs ({epochs})")
    if not after:
        require(length == 0, "cooldown_epochs", length, "0 without a cooldown_epoch")
        return
    left = epochs - after
    require(0 < length <= left, "cooldown_epochs", length, f"above 0 and at most {left}, the epochs after {after}")
    require(
        config.method not in methods.DYNAMIC,
        "cooldown_epoch",
        after,
        f"0 with method={config.method!r}, whose mask changes until the end of all epochs",
    )
    stop, end = config.stop_epoch, find_last_epoch(config)
    require(
        stop is None or stop <= after or stop == end,
        "stop_epoch",
        stop,
        f"None or at most cooldown_epoch ({after}): a cool-down is not interrupted",
    )


def list_without_effect(config: Config) -> set[str]:
    """Return the fields of a fork or of a cool-down that begins only when the run is over, or of one to the same."""
    names, stop = set(), config.stop_epoch or config.epochs
    if stop <= config.cooldown_epoch:
        names |= {"cooldown_epoch", "cooldown_epochs"}
    if config.fork_seed == config.data_seed or config.fork_epoch >= min(stop, find_last_epoch(config)):
        names |= {"fork_epoch", "fork_seed"}
    return names


def find_last_epoch(config: Config) -> int:
    """Return the number of epochs of a complete run; the last one of a cool-down may be a part of one."""
    return config.cooldown_epoch + math.ceil(config.cooldown_epochs) if config.cooldown_epoch else config.epochs


def find_cooldown_steps(config: Config, steps_per_epoch: int) -> tuple[int, int]:
    """Return the step (from 0) at which the cool-down of a run begins, and how many steps it has."""
    return config.cooldown_epoch * steps_per_epoch, math.ceil(config.cooldown_epochs * steps_per_epoch)


def count_steps(config: Config, epoch: int, steps_per_epoch: int) -> int:
    """Return how many steps the first `epoch` epochs of a run have; all are whole, but for the end of a cool-down."""
    steps = epoch * steps_per_epoch
    return min(steps, sum(find_cooldown_steps(config, steps_per_epoch))) if config.cooldown_epoch else steps
