"""Which runs can be trained side by side in one program, by `lanes`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from randsparse.errors import StudyError
from randsparse.runs.config import DEFAULTS, RunConfig

LANES = 8
"""Networks in one program: always as many (spare lanes train a copy), as floating-point results depend on it."""

Unit = tuple[RunConfig, ...]
"""Runs that are trained in one call."""
_OWN = {
    *("sparsity", "rule", "draw", "init_scale", "structure"),
    *("mask_seed", "init_seed", "data_seed", "fork_seed", "fork_epoch"),
}


def find_shared_program(config: RunConfig) -> RunConfig | None:
    """Return what runs that can share a program have in common, as a config; None for one that trains alone."""
    if config.engine != "batched":
        return None
    return config.replace(**{name: DEFAULTS[name] for name in _OWN})


def find_shared_recipe(configs: Sequence[RunConfig]) -> RunConfig:
    """Return a config of the recipe that all runs share; raises StudyError if they cannot be trained in one program."""
    if len(configs) > 1 and (
        find_shared_program(configs[0]) is None or len(set(map(find_shared_program, configs))) > 1
    ):
        raise StudyError('runs of one program differ in seeds and masks only, and their engine is "batched"')
    return configs[0]


def group_runs(configs: Iterable[RunConfig]) -> list[Unit]:
    """Return the runs grouped into what is trained in one call: by the program that they share, or each by itself."""
    groups: dict[RunConfig, list[RunConfig]] = {}
    for config in configs:
        groups.setdefault(find_shared_program(config) or config, []).append(config)
    return [tuple(group[i : i + LANES]) for group in groups.values() for i in range(0, len(group), LANES)]
