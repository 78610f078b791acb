"""What early accuracy says about final accuracy: correlations by epoch, gains of a search, and who wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from randsparse.comparison import candidates
from randsparse.comparison.candidates import Early, array
from randsparse.comparison.crossed import Crossed
from randsparse.comparison.inference.correlation import KINDS, correlation, correlation_gain
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.jackknife import jackknife
from randsparse.comparison.inference.search_value import best_gain, keep_usable, search_gain
from randsparse.comparison.inference.subsets import agreement, winner_gain
from randsparse.errors import StudyError
from randsparse.questions.early_and_late.prediction import predicted_gain
from randsparse.runs.store import Store

POOLED = "all cells"
"""The name of what is estimated over all cells together, in the column cell."""
SIZES = (2, 3, 4)
"""Candidates of one search. Eight are a whole order of batches: there is one such subset, and no interval."""
LIMITS = ["value", "low", "high", "n", "runs"]


def curves(design: Crossed, store: Store) -> pd.DataFrame:
    """Return `candidates.curves`, the densest cell first."""
    return candidates.curves(design, store).sort_values("sparsity", kind="stable", ignore_index=True)


def find_epoch(curves: pd.DataFrame, share: float) -> int:
    """Return the epoch after which a share of training is over: at least the first one, and before the last one."""
    epochs = int(curves["epoch"].max())
    return max(1, min(round(share * epochs), epochs - 1))


def look_after(curves: pd.DataFrame, epoch: int, y: str = "val_accuracy") -> list[Early]:
    """Return each cell as a search sees it after an epoch: y then, and test accuracy at the end.

    Args:
        curves: as from `candidates.curves`.
    """
    at = curves[curves["epoch"] == epoch]
    return [
        Early(str(cell), array(own, str(cell), y), array(own, str(cell), "test_accuracy"))
        for cell, own in at.groupby("cell", sort=False)
    ]


def correlations(curves: pd.DataFrame, y: str = "val_accuracy") -> pd.DataFrame:
    """Return the correlation of y after each epoch with test accuracy at the end, within cells and orders of batches.

    Columns kind (pearson, spearman), cell (POOLED first), epoch, value, low, high (95 %), n (networks), runs; nan
    where no order of batches has four networks, or where they do not differ.
    """
    rows = []
    for epoch in sorted(curves["epoch"].unique()):
        pairs = look_after(curves, epoch, y)
        groups = [(POOLED, pairs), *((pair.cell, [pair]) for pair in pairs)]
        for kind in KINDS:
            for cell, own in groups:
                found = attempt(correlation, [(pair.early, pair.final) for pair in own], kind)
                rows.append({"kind": kind, "cell": cell, "epoch": int(epoch)} | limits(found))
    return pd.DataFrame(rows, columns=["kind", "cell", "epoch", *LIMITS])


def rise(before: Sequence[Early], after: Sequence[Early]) -> Estimate | None:
    """Return how much better the second early values foretell the same ends than the first; None with too few runs."""
    cells = [(own.early, other.early, own.final) for own, other in zip(before, after, strict=True)]
    return attempt(correlation_gain, cells)


def gains(curves: pd.DataFrame, share: float) -> pd.DataFrame:
    """Return what searches among K candidates gain early and at the end, measured and predicted.

    Early is the winner's validation accuracy after a share of training above that of all candidates, late its test
    accuracy at the end. The prediction has no free parameter (see `predicted_gain`).

    Columns moment (early, late), size (K), how (measured, predicted; late also best possible), value, low, high, n,
    runs; fractions. The size that is a whole order of batches comes last, and what is measured has no limits there.
    """
    looked = look_after(curves, find_epoch(curves, share))
    cells = [(look.early, look.final) for look in looked]
    early = [(look.early, look.early) for look in looked]
    ends = [(look.final, look.final) for look in looked]
    rows = []
    for size in SIZES:
        rows += [
            ("early", size, "measured", attempt(best_gain, early, size)),
            ("early", size, "predicted", attempt(predicted_gain, early, size, size + 1)),
            ("late", size, "measured", attempt(search_gain, cells, size)),
            ("late", size, "predicted", attempt(predicted_gain, cells, size, size + 1)),
            ("late", size, "best possible", attempt(best_gain, ends, size)),
        ]
    frame = [{"moment": moment, "size": size, "how": how} | limits(found) for moment, size, how, found in rows]
    whole = max((len(early) for early, _ in cells), default=0)
    if whole > max(SIZES):
        frame += _whole_order("early", early, whole) + _whole_order("late", cells, whole)
        frame += [row | {"how": "best possible"} for row in _whole_order("late", ends, whole)[:1]]
    return pd.DataFrame(frame, columns=["moment", "size", "how", *LIMITS])


def _whole_order(moment: str, cells: list[tuple[np.ndarray, np.ndarray]], size: int) -> list[dict[str, object]]:
    """Return measured and predicted gains of searches among all candidates of an order, for orders that are whole."""
    own = [[gain for gain in winner_gain(*cell, size) if np.isfinite(gain)] for cell in cells if len(cell[0]) == size]
    measured = [np.mean(gains) for gains in own if gains]
    if not measured:
        return []
    nothing = {"low": np.nan, "high": np.nan, "n": len(measured) * size, "runs": size * sum(map(len, own))}
    predicted = attempt(predicted_gain, cells, size, size)
    return [
        {"moment": moment, "size": size, "how": "measured", "value": float(np.mean(measured))} | nothing,
        {"moment": moment, "size": size, "how": "predicted"} | limits(predicted),
    ]


def winners(curves: pd.DataFrame, share: float) -> pd.DataFrame:
    """Return how often the winner after a share of training is the best at the end, beside chance.

    Columns K, probability (that the early winner is the best at the end), low, high, n, runs, by chance (1/K).
    """
    cells = [(look.early, look.final) for look in look_after(curves, find_epoch(curves, share))]
    rows = []
    for size in SIZES:
        found = limits(attempt(same_winner, cells, size))
        found |= {name: float(np.clip(found[name], 0, 1)) for name in ("low", "high")}
        rows.append({"K": size, "probability": found.pop("value")} | found | {"by chance": 1 / size})
    return pd.DataFrame(rows)


def same_winner(cells: Sequence[tuple[np.ndarray, np.ndarray]], size: int) -> Estimate:
    """Return the probability that the early winner of K candidates is the best one at the end; compare 1/K."""
    return jackknife(
        keep_usable(cells, size + 1), lambda early, final: [agreement(early, final, size).mean(axis=0)]
    ).estimate()


def attempt(statistic: Callable[..., Estimate], *arguments: object) -> Estimate | None:
    """Return a statistic, or None as long as there are too few runs for it."""
    try:
        return statistic(*arguments)
    except StudyError:
        return None


def limits(found: Estimate | None) -> dict[str, float]:
    """Return value, low and high of the 95 % interval, n (networks) and runs of an estimate; nan and 0 for None."""
    if found is None:
        return {"value": np.nan, "low": np.nan, "high": np.nan, "n": 0, "runs": 0}
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n, "runs": found.runs}
