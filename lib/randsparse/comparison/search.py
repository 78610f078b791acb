"""Random search over sparse networks (Farahani 2024): draw a population, weed it out early, train the survivors.

A search is a composition of runs. Its candidates are one config with other seeds and `stop_epoch` set; a survivor is
that config with a later `stop_epoch`, or none, and goes on from where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from randsparse.errors import StudyError, unknown
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store

Rounds = tuple[tuple[int, int], ...]
"""(epoch, kept) pairs: after that many epochs, so many candidates are kept. Several pairs are successive halving."""

VARY = ("mask+init", "mask")
POPULATION_SEEDS = 1_000
"""Seeds of population p are 1000 (p + 1), 1000 (p + 1) + 1, ...; random controls use those below 1000."""


@dataclass(frozen=True)
class Outcome:
    """What a finished search found, and what it cost."""

    survivors: tuple[RunConfig, ...]  # complete runs, the fittest first
    ranking: tuple[RunConfig, ...]  # all candidates, the fittest first, at the epoch at which each was weeded out
    search_epochs: int  # trained by candidates before the last weeding out, all of them together
    total_epochs: int  # with the survivors' training to the end


def population(base: RunConfig, index: int, size: int, vary: str = "mask+init") -> list[RunConfig]:
    """Return the `size` candidates of population `index`, as complete runs.

    Args:
        base: what they share; its `data_seed` too.
        vary: "mask+init", each its own mask and initial weights; "mask", masks inside the base's initial weights.

    Raises:
        StudyError: more candidates than a population has seeds, or candidates that would all be the same network.
    """
    if vary not in VARY:
        raise unknown("vary", vary, VARY)
    if not 1 <= size <= POPULATION_SEEDS:
        raise StudyError(f"population size {size} is not possible: it must be between 1 and {POPULATION_SEEDS}")
    seeds = [POPULATION_SEEDS * (index + 1) + candidate for candidate in range(size)]
    if vary == "mask":
        candidates = [base.replace(mask_seed=seed) for seed in seeds]
    else:
        candidates = [base.replace(mask_seed=seed, init_seed=seed) for seed in seeds]
    if len(set(candidates)) < size:
        raise StudyError(
            "candidates that vary in their mask alone are one network at sparsity 0, and with a criterion other than "
            "'random': use 'mask+init'"
        )
    return candidates


def one_round(early_epochs: int, keep: int = 1) -> Rounds:
    """Return the rounds of the paper's search: one look after `early_epochs`, `keep` survivors."""
    return ((early_epochs, keep),)


def halving(first_epoch: int, size: int, rate: int = 2) -> Rounds:
    """Return the rounds of successive halving (Jamieson & Talwalkar 2016): keep 1/rate, train rate times as long."""
    rounds, epoch = [], first_epoch
    while size > 1:
        size = max(1, size // rate)
        rounds.append((epoch, size))
        epoch *= rate
    return tuple(rounds)


def check_rounds(rounds: Rounds, size: int, epochs: int) -> None:
    """Raise StudyError unless epochs increase and stay below `epochs`, and kept candidates only become fewer."""
    kept = [size, *(keep for _, keep in rounds)]
    ends = [0, *(epoch for epoch, _ in rounds), epochs]
    if not rounds or any(a >= b for a, b in zip(ends, ends[1:], strict=False)):
        raise StudyError(f"rounds {rounds}: epochs must increase and lie between 1 and {epochs - 1}")
    if any(a < b for a, b in zip(kept, kept[1:], strict=False)) or kept[-1] < 1:
        raise StudyError(f"rounds {rounds}: each keeps at least 1 and at most as many as came before ({size})")


def fitness(record: dict[str, Any], epoch: int) -> tuple[float, float]:
    """Return what candidates are ranked by, lower is fitter: validation error after `epoch` epochs, then the loss.

    A candidate that diverged before comes last.
    """
    if len(record["curve"]) < epoch:
        return (float("inf"), float("inf"))
    point = record["curve"][epoch - 1]
    if point["val_loss"] is None:
        return (float("inf"), float("inf"))
    return (-point["val_accuracy"], point["val_loss"])


def weed_out(candidates: Sequence[RunConfig], records: Sequence[dict], epoch: int, keep: int) -> list[RunConfig]:
    """Return the `keep` fittest candidates after `epoch` epochs, the fittest first; full ties keep their order."""
    ranked = sorted(zip(candidates, records, strict=True), key=lambda pair: fitness(pair[1], epoch))
    return [config for config, _ in ranked[:keep]]


def needed(candidates: Sequence[RunConfig], rounds: Rounds, store: Store) -> list[RunConfig]:
    """Return the runs that the search needs next: the whole of its unfinished stage, or [] when it is over."""
    for epoch, keep in rounds:
        stage = [config.replace(stop_epoch=epoch) for config in candidates]
        records = [store.get(config) for config in stage]
        if any(record is None for record in records):
            return stage
        candidates = weed_out(candidates, records, epoch, keep)
    return [] if all(store.has(config) for config in candidates) else list(candidates)


def outcome(candidates: Sequence[RunConfig], rounds: Rounds, store: Store) -> Outcome:
    """Return what a finished search found; raises StudyError if runs are missing (see `needed`)."""
    if missing := needed(candidates, rounds, store):
        raise StudyError(f"the search has not finished: {len(missing)} of its runs are not in the store")
    alive, weeded, cost, before = list(candidates), [], 0, 0
    for epoch, keep in rounds:
        records = [store.get(config.replace(stop_epoch=epoch)) for config in alive]
        cost += len(alive) * (epoch - before)
        ranked = weed_out(alive, records, epoch, len(alive))
        alive, weeded, before = ranked[:keep], ranked[keep:] + weeded, epoch
    total = cost + sum(config.epochs - before for config in alive)
    return Outcome(tuple(alive), (*alive, *weeded), cost, total)
