"""Why early accuracy does not foretell the end: one intervention for each explanation, and what came of it.

An explanation says that something hides the ranking of networks early, and that the ranking shows without it. The
intervention takes it away; the explanation is supported if the correlation then rises as it says.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from randsparse.comparison import stats
from randsparse.comparison.inference.correlation import ALMOST_ONE, correlation
from randsparse.comparison.inference.subsets import centre
from randsparse.questions.early_and_late import cooling
from randsparse.questions.early_and_late.frames import POOLED, attempt, find_epoch, limits, look_after, rise
from randsparse.questions.early_and_late.variance import network_at_end

PLANTED = 0.9
"""The correlation that is planted to see whether the machinery recovers it."""
DRAWS = 200
TOLERANCE = 0.05
SMALL = 0.1
"""The share of the variance below which networks are said not to differ."""
FEWEST = 4
"""Cells of different sparsity that the real control needs: they are its candidates."""
COLUMNS = ["hypothesis", "intervention", "measured", "value", "low", "high", "unit", "n", "verdict"]


def judge_hypotheses(
    curves: pd.DataFrame,
    by_epoch: pd.DataFrame,
    ceilings: pd.DataFrame,
    cooled: pd.DataFrame,
    share: float,
    margin: float,
) -> pd.DataFrame:
    """Return one row per explanation and intervention, with the number that decides.

    Args:
        curves: as from `frames.curves`.
        by_epoch: as from `frames.correlations`.
        ceilings: as from `variance.mean_ceilings`.
        cooled: as from `cooling.pair_runs`.
        share: the share of training after which a search picks.
        margin: the correlation below which early accuracy is said not to foretell the end.

    Columns COLUMNS; intervals are 95 %, nan where there are too few runs, and the verdict is then "not tested".
    """
    pooled = by_epoch[(by_epoch["cell"] == POOLED) & (by_epoch["kind"] == "pearson")].set_index("epoch")
    epoch = find_epoch(curves, share)
    ceiling = ceilings.set_index("epoch")["ceiling"].get(epoch, np.nan)
    cooled_after = ", ".join(f"{epoch:g}" for epoch in sorted(cooled["epoch"].unique())) or "unknown"
    rows = [
        _row(
            "The choice of validation images hides the ranking",
            "correction for attenuation",
            f"r over its ceiling after epoch {epoch}",
            correct_attenuation(pooled.loc[epoch].to_dict(), ceiling),
            margin,
        ),
        _averaging(curves, share, "Transient noise of the optimiser hides the ranking"),
        _averaging(curves, 0.5, "Half-way, transient noise hides the ranking (added after a look at ten runs)"),
        _row(
            "Transient noise of the optimiser hides the ranking",
            "cool-down, the learning rate falls to zero early",
            f"r after the cool-down − r before it, epoch {cooled_after}",
            limits(attempt(cooling.estimate_gain, cooled)),
        ),
        _persistence(curves),
        _control(curves, share, margin),
    ]
    return pd.DataFrame(rows).fillna({"unit": "correlation"})[COLUMNS]


def _row(
    hypothesis: str, intervention: str, measured: str, found: dict[str, float], margin: float = 0
) -> dict[str, object]:
    """Return the row of an explanation that is supported if the number lies above the margin."""
    told = {"hypothesis": hypothesis, "intervention": intervention, "measured": measured}
    return told | found | {"verdict": judge_limits(found, margin)}


def judge_limits(found: dict[str, float], margin: float) -> str:
    """Return "supported" if the interval lies above the margin, "contradicted" if below, otherwise "undecided"."""
    if np.isnan(found["low"]):
        return "not tested"
    return "supported" if found["low"] > margin else "contradicted" if found["high"] < margin else "undecided"


def correct_attenuation(found: dict[str, float], ceiling: float) -> dict[str, float]:
    """Return a correlation and its limits over its ceiling, not beyond 1; nan for a ceiling of 0.

    Source: Spearman, "The proof and measurement of association between two things" (1904). The ceiling is taken as
    known.
    """
    scale = 1 / ceiling if ceiling > 0 else np.nan
    corrected = {name: float(np.clip(found[name] * scale, -1, 1)) for name in ("value", "low", "high")}
    return {name: corrected.get(name, found[name]) for name in ("value", "low", "high", "n")}


def _averaging(curves: pd.DataFrame, share: float, what: str) -> dict[str, object]:
    """Return how much better the moving average of the weights foretells the end than the network as trained."""
    epoch = find_epoch(curves, share)
    found = limits(rise(look_after(curves, epoch), look_after(curves, epoch, "ema_val_accuracy")))
    measured = f"r of the average − r of the network as trained, epoch {epoch}"
    return _row(what, "moving average of the weights", measured, found)


def _persistence(curves: pd.DataFrame) -> dict[str, object]:
    """Return the row of the share of network: contradicted where its limit and the exact test say more than nothing."""
    found = network_at_end(curves)
    some = found["low"] > 0 and found["p"] < 0.05
    verdict = "contradicted" if some else "supported" if found["high"] < SMALL else "undecided"
    return {
        "hypothesis": "No network is better than another at the end, whatever the order of batches",
        "intervention": "each network in two orders of batches",
        "measured": f"share of network in the final variance, one-sided limits (F test: p = {found['p']:.3f})",
        "value": found["share"],
        "low": found["low"],
        "high": found["high"],
        "unit": "share",
        "n": found["networks"],
        "verdict": verdict if found["cells"] else "not tested",
    }


def mix_populations(at: pd.DataFrame) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return populations whose candidates differ in sparsity: network i of each cell, early and final (cells, orders).

    A network that was not run in an order is nan there; order j is another one in each cell.

    Args:
        at: the rows of one epoch of `frames.curves`.
    """
    values, cells = ["val_accuracy", "test_accuracy"], at["cell"].unique()
    tables = [own.pivot(index="cell", columns="order", values=values) for _, own in at.groupby("network")]
    return [tuple(table[name].reindex(cells).to_numpy(dtype=float) for name in values) for table in tables]


def mixed_correlation(curves: pd.DataFrame, share: float) -> dict[str, float]:
    """Return the correlation of early and final accuracy among networks of different sparsity.

    Each population has one network per cell and is compared within each place of an order; n counts populations, and
    the interval is Student's t on Fisher's z over them. nan for fewer than four cells or two populations.
    """
    at = curves[curves["epoch"] == find_epoch(curves, share)]
    populations = mix_populations(at) if at["cell"].nunique() >= FEWEST else []
    found = [attempt(correlation, [population]) for population in populations]
    values = [each.value for each in found if each is not None and np.isfinite(each.value)]
    if len(values) < 2:
        return limits(None)
    mean, low, high = np.tanh(stats.mean_interval(np.arctanh(np.clip(values, -ALMOST_ONE, ALMOST_ONE))))
    runs = sum(each.runs for each in found if each is not None)
    return {"value": float(mean), "low": float(low), "high": float(high), "n": len(values), "runs": runs}


def _control(curves: pd.DataFrame, share: float, margin: float) -> dict[str, object]:
    """Return the row of the control: the machinery is at fault if it does not see what is there for all to see."""
    row = _row(
        "The measurement would not see a correlation",
        "candidates of different sparsity, whose ends differ",
        f"r among them after {100 * share:g} % of training (each sparsity has orders of its own)",
        mixed_correlation(curves, share),
        margin,
    )
    turned = {"supported": "contradicted", "contradicted": "supported"}
    return row | {"verdict": turned.get(row["verdict"], row["verdict"])}


def recover_planted(curves: pd.DataFrame, correlate: float = PLANTED, draws: int = DRAWS, seed: int = 0) -> pd.Series:
    """Return what the machinery finds where early scores correlate with the true ends as planted.

    Early scores are drawn anew, with normal noise, for the very runs of these cells; the generator is fixed.

    Returns: planted, recovered (mean over draws), covered (share of the draws whose 95 % interval holds the planted
    value), draws; recovered is nan where no order of batches has four runs that differ.
    """
    finals = [cell.final for cell in look_after(curves, 1)]
    generator = np.random.default_rng(seed)
    recovered, covered = [], []
    for _ in range(draws):
        cells = [(_planted(final, correlate, generator), final) for final in finals]
        found = attempt(correlation, [cell for cell in cells if np.isfinite(cell[0]).any()])
        if found is not None and np.isfinite(found.value):
            recovered.append(found.value)
            covered.append(found.low <= correlate <= found.high)
    values = {"planted": correlate, "draws": len(recovered)}
    means = {"recovered": np.mean(recovered), "covered": np.mean(covered)} if recovered else {}
    return pd.Series({"recovered": np.nan, "covered": np.nan} | values | means)


def _planted(final: np.ndarray, correlate: float, generator: np.random.Generator) -> np.ndarray:
    """Return early scores of the runs of one cell; nan for an order whose ends are equal."""
    shifted = centre(final)
    spread = np.sqrt(np.nansum(shifted**2, axis=0) / np.maximum(np.isfinite(final).sum(axis=0) - 1, 1))
    score = np.divide(shifted, spread, out=np.full_like(shifted, np.nan), where=spread > 0)
    noise = generator.normal(size=final.shape)
    return correlate * score + np.sqrt(1 - correlate**2) * noise


def check_recovery(found: pd.Series) -> str:
    """Return the verdict on the machinery: whether the planted correlation comes back within the tolerance."""
    if not np.isfinite(found["recovered"]):
        return "not tested"
    return "supported" if abs(found["recovered"] - found["planted"]) <= TOLERANCE else "contradicted"
