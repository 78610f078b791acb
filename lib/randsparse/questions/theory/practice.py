"""What runs of notebook 07 say: random masks of wider networks against the dense one, and against what theory asks."""

from __future__ import annotations

import pandas as pd

from randsparse.comparison import stats
from randsparse.comparison.verdicts import Row, conclude
from randsparse.questions.theory.plan import DENSE, RANDOM, weights, width_factor

EQUAL, FIXED = "as many weights as dense", "fixed sparsity"
NOT_WORSE, WORSE, UNDECIDED = "not worse", "worse", "undecided"


def against_dense(frame: pd.DataFrame, margin: float, alpha: float = 0.05) -> pd.DataFrame:
    """Return random minus dense at every width and sparsity.

    Args:
        frame: `frames.sized` of the comparison.
        margin: the difference that matters, a fraction.

    The columns of `stats.comparisons`, with model, weights (kept), width (relative to the dense network), factor
    (1/log(1/s)), kind (EQUAL, FIXED), p_not_worse (of a one-sided test of a loss of `margin` or more) and standing:
    NOT_WORSE if that test rejects, WORSE if it does not and the interval lies below 0, else UNDECIDED.
    """
    dense = frame[frame["arm"] == DENSE]
    first = _width(dense["model"].iloc[0])
    rows = []
    for (model, sparsity), own in frame[frame["arm"] == RANDOM].groupby(["model", "sparsity"]):
        found = stats.comparisons(pd.concat([own, dense]), RANDOM, DENSE, margin=margin, alpha=alpha).iloc[0]
        kind = EQUAL if _equal_weights(model, dense["model"].iloc[0], own) else FIXED
        pair = [each["test_accuracy"].dropna() for each in (own, dense)]
        p = _p_not_worse(*pair, margin)
        standing = NOT_WORSE if p < alpha else WORSE if found["high"] < 0 else UNDECIDED
        size = {"model": model, "weights": own["weights"].mean(), "width": _width(model) / first}
        labels = {**size, "factor": width_factor(sparsity), "kind": kind}
        rows.append({**labels, **found, "p_not_worse": p, "standing": standing})
    return pd.DataFrame(rows).sort_values(["kind", "sparsity", "width"], ignore_index=True)


def _width(model: str) -> int:
    return int(model.rsplit("-", 1)[1])


def _equal_weights(model: str, parent: str, rows: pd.DataFrame) -> bool:
    dataset, sparsity = rows["dataset"].iloc[0], rows["sparsity"].iloc[0]
    few, many = (weights(name, dataset) for name in (parent, model))
    return round((1 - sparsity) * many) == few


def _p_not_worse(a: pd.Series, b: pd.Series, margin: float) -> float:
    """Return the p value of mean(a) <= mean(b) - margin, by Welch's one-sided test."""
    p = stats.significance(a + margin, b)
    higher = a.mean() + margin > b.mean()
    return p / 2 if higher else 1 - p / 2


def smallest(gaps: pd.DataFrame) -> pd.DataFrame:
    """Return, at each fixed sparsity, the smallest width whose accuracy is not worse than dense, beside the factor.

    Columns sparsity, factor, widest (that was trained), smallest (nan if none is), and worse_up_to (the widest that is
    shown to be worse, nan if none is).

    Args:
        gaps: as from `against_dense`.
    """
    rows = []
    for (sparsity, factor), own in gaps[gaps["kind"] == FIXED].groupby(["sparsity", "factor"]):
        widths = [own.loc[own["standing"] == standing, "width"] for standing in (NOT_WORSE, WORSE)]
        rows.append((sparsity, factor, own["width"].max(), widths[0].min(), widths[1].max()))
    return pd.DataFrame(rows, columns=["sparsity", "factor", "widest", "smallest", "worse_up_to"])


def stands(claim: str, gaps: pd.DataFrame, expected: str) -> Row:
    """Judge whether all of these widths stand to dense as expected, NOT_WORSE or WORSE.

    Supported if all do. Contradicted if one is shown to stand otherwise after Bonferroni's correction for how many
    there are (`p_not_worse`, `p_difference`), since among many one does by chance; otherwise inconclusive.
    """
    other = WORSE if expected == NOT_WORSE else NOT_WORSE
    p = gaps["p_difference" if other == WORSE else "p_not_worse"]
    against = (gaps["standing"] == other) & (p < 0.05 / max(1, len(gaps)))
    places = [
        f"{row.model} at {100 * row.sparsity:.3g} %: {100 * row.mean:+.2f} points, {row.standing}"
        for row in gaps.itertuples()
    ]
    runs = f"; n = {gaps['n'].min():.0f} against {gaps['n_baseline'].min():.0f}" if len(gaps) else ""
    return conclude(claim, gaps["standing"] == expected, against, ("; ".join(places) or "no such width") + runs)
