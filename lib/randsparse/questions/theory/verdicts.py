"""What measured sources and tickets say of the theory: widths that are needed, how they grow, and verdicts.

Counts of sources have exact binomial (Clopper–Pearson) intervals, simultaneous over all points of a claim: each has
the level 1 - α/points, so that among many points none is outside by chance.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats as distributions

from randsparse.comparison.verdicts import Row, conclude

CURVE = ["target", "event"]
ALPHA = 0.05
ROUNDING = 1e-9
"""A construction agrees with its target to float precision if they differ by less, as a share of its range."""


def find_intervals(counts: pd.Series, trials: pd.Series, alpha: float = ALPHA) -> tuple[np.ndarray, np.ndarray]:
    """Return exact binomial limits of counts out of trials, each at level 1 - alpha."""
    k, n = counts.to_numpy(dtype=float), trials.to_numpy(dtype=float)
    with np.errstate(invalid="ignore"):
        low = distributions.beta.ppf(alpha / 2, k, n - k + 1)
        high = distributions.beta.ppf(1 - alpha / 2, k + 1, n - k)
    return np.where(k == 0, 0.0, low), np.where(k == n, 1.0, high)


def add_intervals(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with `share` of its masks and pointwise 95 % limits share_low and share_high, for figures."""
    low, high = find_intervals(frame["contained"], frame["masks"])
    return frame.assign(share=frame["contained"] / frame["masks"], share_low=low, share_high=high)


def judge_predicted(claim: str, frame: pd.DataFrame, resolution: float) -> Row:
    """Judge whether counts are those of an exact prediction.

    Contradicted if a prediction is outside the simultaneous interval of its point; supported if none is and no interval
    is wider than `resolution`; inconclusive with fewer masks.

    Args:
        frame: columns masks, predicted and contained.
    """
    return _inside(claim, frame, frame["predicted"], frame["predicted"], resolution, "prediction")


def judge_bounded(claim: str, frame: pd.DataFrame, resolution: float) -> Row:
    """Judge whether probabilities are between bounds (columns low and high), as `judge_predicted` does."""
    return _inside(claim, frame, frame["low"], frame["high"], resolution, "bounds")


def _inside(claim: str, frame: pd.DataFrame, least: pd.Series, most: pd.Series, resolution: float, what: str) -> Row:
    if frame.empty:
        return conclude(claim, [], [], "no source")
    low, high = find_intervals(frame["contained"], frame["masks"], ALPHA / len(frame))
    slack = 1e-12  # of a probability that is 1 but for rounding
    outside = (low > most + slack) | (high < least - slack)
    share = frame["contained"] / frame["masks"]
    gap = np.maximum(share - most, least - share).clip(lower=0).max()
    evidence = (
        f"{outside.sum()} of {len(frame)} points outside the {what} (simultaneous 95 % binomial intervals, at most "
        f"{100 * (high - low).max():.1f} points wide); the largest deviation is {100 * gap:.1f} points; "
        f"n = {frame['masks'].min()} sources each"
    )
    return conclude(claim, ~outside & ~(high - low > resolution), outside, evidence)


def judge_construction(frame: pd.DataFrame) -> Row:
    """Judge whether sources that contain a target compute it, once they are given its weights."""
    errors, checked = frame["error"].dropna(), int(frame["checked"].sum())
    evidence = f"largest difference {errors.max():.1e} of the target's range; n = {checked} constructed sources"
    claim = "A source that contains the target computes it, with the constructed weights"
    return conclude(claim, errors < ROUNDING, errors >= ROUNDING, evidence)


def find_widths_needed(frame: pd.DataFrame, failure: float) -> pd.DataFrame:
    """Return the width at which the measured probability reaches 1 - δ, one row per target, event and sparsity.

    By maximum likelihood of P(fail) = 1 - exp(-exp(a + b k)), which is how a union bound's terms behave; columns
    target, event, sparsity, factor, width, low, high (95 % limits by the delta method), and error (the standard error
    of log width). nan where fewer than two widths have a share inside of 0 and 1.

    Args:
        frame: rows with columns target, event, sparsity, factor, copies, masks and contained.
        failure: δ.
    """
    rows = []
    for (target, event, sparsity), own in frame.groupby([*CURVE, "sparsity"], sort=False):
        width, error = _crossing(own, math.log(-math.log1p(-failure)))
        spread = math.exp(1.96 * error)
        rows.append((target, event, sparsity, own["factor"].iloc[0], width, width / spread, width * spread, error))
    return pd.DataFrame(rows, columns=[*CURVE, "sparsity", "factor", "width", "low", "high", "error"])


def _crossing(rows: pd.DataFrame, level: float) -> tuple[float, float]:
    """Return the width at which a + b k = level, and the standard error of its logarithm."""
    successes = rows["contained"].to_numpy(dtype=float)
    failures = rows["masks"].to_numpy(dtype=float) - successes
    if ((successes > 0) & (failures > 0)).sum() < 2:
        return math.nan, math.nan
    family = sm.families.Binomial(link=sm.families.links.CLogLog())
    design = sm.add_constant(rows["copies"].to_numpy(dtype=float))
    fitted = sm.GLM(np.stack([failures, successes], axis=1), design, family=family).fit()
    a, b = fitted.params
    width = (level - a) / b
    gradient = np.array([-1 / b, -width / b]) / width
    return (width, float(np.sqrt(gradient @ fitted.cov_params() @ gradient))) if b < 0 < width else (math.nan, math.nan)


def fit_exponents(needed: pd.DataFrame, alpha: float = ALPHA) -> pd.DataFrame:
    """Return the slope of log width over log 1/log(1/s): 1 if the width grows in proportion to the factor.

    By least squares over sparsities; rows target, event, exponent, low and high (simultaneous 1 - alpha limits over all
    rows, from the errors of the widths), sparsities (how many have a width). Fewer than two give nan.

    Args:
        needed: as from `find_widths_needed`.
    """
    rows = []
    groups = needed.groupby(CURVE, sort=False)
    quantile = -distributions.norm.ppf(alpha / 2 / max(1, len(groups)))
    for curve, own in groups:
        own = own.dropna(subset=["width"])
        slope, error = math.nan, math.nan
        if len(own) > 1:
            x = np.log(own["factor"].to_numpy())
            weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
            slope = float(weights @ np.log(own["width"].to_numpy()))
            error = quantile * math.sqrt(weights**2 @ own["error"].to_numpy() ** 2)
        rows.append((*curve, slope, slope - error, slope + error, len(own)))
    return pd.DataFrame(rows, columns=[*CURVE, "exponent", "low", "high", "sparsities"])


def judge_near_one(claim: str, slopes: pd.DataFrame, column: str, margin: float, unit: str) -> Row:
    """Judge whether every slope is 1, up to a margin.

    Supported if all intervals lie within 1 ± margin, contradicted if one lies outside, otherwise inconclusive.

    Args:
        slopes: rows with `column`, low and high.
        unit: what a slope is, for the evidence.
    """
    low, high = slopes["low"], slopes["high"]
    inside = (low >= 1 - margin) & (high <= 1 + margin)
    outside = (low > 1 + margin) | (high < 1 - margin)
    found = slopes[column].dropna()
    ends = f"{found.min():.2f} to {found.max():.2f}" if len(found) else "none"
    evidence = (
        f"{unit}: {ends}; simultaneous 95 % intervals of {inside.sum()} of {len(slopes)} within 1 ± {margin:g}, of "
        f"{outside.sum()} outside"
    )
    return conclude(claim, inside, outside, evidence)


def judge_not_faster(claim: str, errors: pd.DataFrame) -> Row:
    """Judge whether no error is below its bound more often than it may: half of the draws (`subset_sums.survey`)."""
    own = errors.dropna(subset=["below"])
    low, high = find_intervals(own["below"], own["n"], ALPHA / max(1, len(own)))
    most = (own["below"] / own["n"]).max()
    evidence = f"at most {100 * most:.0f} % of the draws below a bound that half may pass, at {len(own)} points; n = "
    return conclude(claim, high <= 0.5, low > 0.5, evidence + f"{own['n'].min()} draws each")
