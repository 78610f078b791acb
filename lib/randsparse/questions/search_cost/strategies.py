"""Ways to spend epochs on one network, each with all epochs that it is charged and what it gains over one training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.jackknife import jackknife
from randsparse.comparison.inference.search_value import correct_for_subsets, keep_usable
from randsparse.errors import StudyError
from randsparse.questions.search_cost import gains
from randsparse.questions.search_cost.halving import Rounds, halving_gain
from randsparse.questions.search_cost.measured import LATER, PHASE, SIZE, Measured

RANDOM, LONGER, SMALL = "random, one training", "random, trained longer", "small dense"
ONE_LOOK, HALVING, FINALS = "search, one look", "successive halving", "best of two ends"
COLUMNS = ["cell", "strategy", "candidates", "looks", "epochs", "epochs_going_on", "trainings", "accuracy", "mean"]
COLUMNS += ["low", "high", "n", "runs"]


def list_searches(total: int) -> list[tuple[str, Rounds]]:
    """Return the searches that are shown, of runs of `total` epochs.

    One look at four candidates after 10, 25 or 50 %; halving of four after 10 and 25 % and of eight after 10, 25 and
    50 %; the better of two runs that are both trained to their end. One that such a short training cannot have (two
    looks after the same epoch) is left out.
    """
    looks = [max(1, round(share * total)) for share in (PHASE, *LATER)]
    wanted = [(ONE_LOOK, Rounds((look,), (SIZE,))) for look in dict.fromkeys(looks)]
    wanted += [(HALVING, Rounds(tuple(looks[:2]), (SIZE, 2))), (HALVING, Rounds(tuple(looks), (8, 4, 2)))]
    wanted += [(FINALS, Rounds((total,), (2,)))]
    return [(name, rounds) for name, rounds in wanted if rounds.possible(total)]


def compare(groups: Sequence[Measured]) -> pd.DataFrame:
    """Return one row per cell and strategy; nan where too few runs are there.

    Columns: cell, strategy, candidates, looks (epochs), epochs (charged, with a winner that is trained anew),
    epochs_going_on (with one that goes on from where the search left it), trainings (epochs over T), accuracy, mean
    (the gain over one training) with its limits low and high (95 %; nan for a search that draws all networks there
    are), n networks, runs.
    """
    return pd.DataFrame([row for group in groups for row in _rows(group)], columns=COLUMNS)


def _rows(group: Measured) -> Iterator[tuple]:
    total, runs = group.epochs, group.accuracies
    networks = int(np.isfinite(group.final).any(axis=1).sum())
    start = Estimate(0.0, np.nan, np.nan, networks, len(runs)) if len(runs) else None
    yield _row(group, RANDOM, 1, "", (total, total), start)
    if group.longer_epochs:
        yield _row(group, LONGER, 1, "", (group.longer_epochs, group.longer_epochs), gains.gain_of_longer(group))
    for name, rounds in list_searches(total):
        charged = rounds.cost(total, anew=True), rounds.cost(total, anew=False)
        found = gains.attempt(gain_of_rounds, group, rounds)
        yield _row(group, name, rounds.sizes[0], ", ".join(map(str, rounds.epochs)), charged, found)
    if group.planned[2]:
        yield _row(group, SMALL, 1, "", (total, total), gains.gain_of_small_dense(group))


def gain_of_rounds(group: Measured, rounds: Rounds) -> Estimate:
    """Return what a search gains, on average over all subsets of the candidates of an order of batches.

    The standard error is the jackknife's over networks, nan where no order has one network more than the search draws.
    Raises StudyError where none has as many as it draws.
    """
    cell = (*(group.scores[epoch] for epoch in rounds.epochs), group.final)

    def part(*arrays: np.ndarray) -> list[np.ndarray]:
        *looks, final = (array.reshape(len(array), -1) for array in arrays)
        return [halving_gain(looks, final, rounds.sizes).reshape(arrays[0].shape[1:]).mean(axis=0)]

    try:
        found = jackknife(keep_usable([cell], rounds.sizes[0] + 1), part)
        return correct_for_subsets(found, rounds.sizes[0]).estimate()
    except StudyError:
        whole = keep_usable([cell], rounds.sizes[0])[0]
        runs = int(np.isfinite(whole[0]).sum())
        return Estimate(float(part(*(array[..., None] for array in whole))[0][0]), np.nan, np.nan, len(whole[0]), runs)


def _row(group: Measured, name: str, size: int, looks: str, charged: tuple[int, int], found: Estimate | None) -> tuple:
    """Return a row of `compare`, in the order of COLUMNS."""
    gain, *others = gains.numbers(found)
    accuracy = gains.accuracy_of_one(group) + gain
    return (group.cell, name, size, looks, *charged, charged[0] / group.epochs, accuracy, gain, *others)
