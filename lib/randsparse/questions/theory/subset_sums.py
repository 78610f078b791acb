"""Strong lottery tickets: weights stay as they were drawn, and a target's are sums of those that a mask keeps.

A target weight w in [-1, 1] is approximated by Σ_c b_c v_c, b_c in {0, 1}: over n copies of a neuron, of which copy c
is connected with frozen weight v_c ~ U[-a, a] if the source's ER(p) mask has the edge, with probability p = 1 - s. The
ticket is a second mask, b, inside the first. With m edges there are 2^m sums, so that the best one comes within about
2^-m: the error falls exponentially, and n = O(log(1/ε)/p) copies suffice for an error ε (Lueker 1998 for m edges).

How fast it can fall at most is derived here. A sum of one or more weights has density 1/(2a) at most, so that it lies
within ε of w with probability ε/a at most; the empty sum does with probability ε if w ~ U[-1, 1]. Over all 2^m
subsets, and over m ~ Bin(n, p) with E[2^m] = (1 + p)^n,

    P(error < ε) <= A ε,  A = 1 + ((1 + p)^n - 1)/a,  hence  E[log error] >= -1 - log A:

the geometric mean of the error is 1/(e A) at least.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import stats as distributions
from torch import Tensor

from randsparse.comparison import stats
from randsparse.errors import StudyError
from randsparse.seeds import generator

MOST = 24
"""The most values that a subset is chosen from: there are 2^(MOST/2) sums of each half."""
AT_ONCE = 2_000_000
"""Sums that are held in memory at one time."""


class Subsets(NamedTuple):
    """For each of B problems: the best subset's |sum - target|, and which values it has, (B, n) bool."""

    errors: Tensor
    chosen: Tensor


def find_nearest(values: Tensor, targets: Tensor) -> Subsets:
    """Return the subset of each row of values (B, n) whose sum is nearest to the row's target (B,), exactly.

    By meeting in the middle: each of the 2^(n/2) sums of one half is completed by the nearest of the other. A value of
    0 is one that is not there. Raises StudyError for more than MOST values.
    """
    count = values.shape[1]
    if not 1 <= count <= MOST:
        raise StudyError(f"subset sums of {count} values: choose from 1 to {MOST}")
    step = max(1, AT_ONCE >> ((count + 1) // 2))
    parts = [_nearest(values[i : i + step], targets[i : i + step]) for i in range(0, len(values), step)]
    errors, chosen = zip(*parts, strict=True)
    return Subsets(torch.cat(errors), torch.cat(chosen))


def _nearest(values: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    left, right = values.tensor_split([(values.shape[1] + 1) // 2], dim=1)
    bits = [_subsets(half.shape[1]) for half in (left, right)]
    sums = left @ bits[0].T.to(values.dtype)
    others, order = (right @ bits[1].T.to(values.dtype)).sort(dim=1)
    wanted = targets[:, None] - sums
    above = torch.searchsorted(others, wanted).clamp(max=others.shape[1] - 1)
    both = torch.stack([above, (above - 1).clamp(min=0)])
    gaps, side = torch.stack([(others.gather(1, each) - wanted).abs() for each in both]).min(0)
    errors, place = gaps.min(1)
    rows = torch.arange(len(values))
    partner = order[rows, both[side[rows, place], rows, place]]
    return errors, torch.cat([bits[0][place], bits[1][partner]], dim=1)


def _subsets(count: int) -> Tensor:
    """Return all subsets of `count` values, (2^count, count) bool."""
    return (torch.arange(2**count)[:, None] >> torch.arange(count) & 1).bool()


def least_error(density: float, copies: int, scale: float = 1.0) -> float:
    """Return 1/(e A), below which the geometric mean of the error cannot be.

    Args:
        density: p, in (0, 1].
        copies: n.
        scale: a; frozen weights are from U[-a, a].
    """
    return 1 / (math.e * (1 + ((1 + density) ** copies - 1) / _interval(scale)))


def _interval(scale: float) -> float:
    if not scale > 0:
        raise StudyError(f"frozen weights from an interval of {scale!r}: it must be positive, all would be 0")
    return scale


def _frozen(shape: Sequence[int], scale: float, stream: torch.Generator) -> Tensor:
    return (2 * torch.rand(tuple(shape), generator=stream, dtype=torch.float64) - 1) * _interval(scale)


def _kept(shape: Sequence[int], density: float, stream: torch.Generator) -> Tensor:
    if not 0 < density <= 1:
        raise StudyError(f"density {density!r} of a source: it must be above 0 and at most 1")
    return torch.rand(tuple(shape), generator=stream, dtype=torch.float64) < density


def weight_errors(density: float, copies: int, draws: int, scale: float, stream: torch.Generator) -> Tensor:
    """Return |w - best sum| for `draws` weights w ~ U[-1, 1], each with its own n frozen weights and mask."""
    targets = _frozen((draws,), 1.0, stream)
    values = _frozen((draws, copies), scale, stream) * _kept((draws, copies), density, stream)
    return find_nearest(values, targets).errors


def network_errors(
    widths: Sequence[int],
    density: float,
    copies: int,
    draws: int,
    scale: float,
    stream: torch.Generator,
    spare: int = 2,
    inputs: int = 100,
) -> Tensor:
    """Return max |ticket(x) - target(x)| over inputs from U[-1, 1], for `draws` targets and sources, (draws,).

    A target has weights from U[-1, 1] and no biases. The source has `spare` n copies of each hidden neuron, and before
    them n copies |v| relu(±x_i) of each input and sign, with frozen v: those that have their edge and sign, for which
    the first layer has to be about 2/p times wider. Every edge between copies is kept with probability p. Each copy of
    a neuron chooses its own subset for each edge of the target, and the n copies whose worst edge is best remain.
    """
    targets, points = _targets(widths, draws, inputs, stream)
    gains = _frozen((draws, 2 * widths[0], copies), scale, stream).abs()
    x = gains[..., None] * torch.cat([points, -points], dim=1).relu()[:, :, None]
    for layer, weights in enumerate(targets, start=1):
        last = layer == len(targets)
        shape = (draws, weights.shape[1], 1 if last else spare * copies, *gains.shape[1:])
        frozen = _frozen(shape, scale, stream) * _kept(shape, density, stream)
        wanted = torch.cat([weights, -weights], dim=2) if layer == 1 else weights
        ticket = _ticket(frozen, gains, wanted, 1 if last else copies)
        x = torch.einsum("bjcin,binx->bjcx", ticket, x)
        x = x if last else x.relu()
        gains = torch.ones(x.shape[:3], dtype=torch.float64)
    return (x[:, :, 0] - _outputs(targets, points)).abs().flatten(1).amax(1)


def _ticket(frozen: Tensor, gains: Tensor, wanted: Tensor, left: int) -> Tensor:
    """Return the frozen weights (B, j, c, i, n) that remain, such that Σ_n weight · gain is nearest to w (B, j, i).

    Of the copies c those `left` whose largest error is smallest.
    """
    values = (frozen * gains[:, None, None]).flatten(0, 3)
    targets = wanted[:, :, None].expand(frozen.shape[:-1])
    errors, chosen = find_nearest(values, targets.flatten())
    best = errors.reshape(targets.shape).amax(3).argsort(dim=2, stable=True)[:, :, :left, None, None]
    return (frozen * chosen.reshape(frozen.shape)).take_along_dim(best, dim=2)


def _targets(widths: Sequence[int], draws: int, inputs: int, stream: torch.Generator) -> tuple[list[Tensor], Tensor]:
    """Return weights (B, n_l, n_(l-1)) of targets whose outputs vary, by drawing again, and inputs (B, n_0, X)."""
    weights = [_frozen((draws, b, a), 1.0, stream) for a, b in pairwise(widths)]
    points = _frozen((draws, widths[0], inputs), 1.0, stream)
    while (dull := _outputs(weights, points).std(dim=2).amin(1) < 0.1).any():
        for each in weights:
            each[dull] = _frozen((int(dull.sum()), *each.shape[1:]), 1.0, stream)
    return weights, points


def _outputs(weights: Sequence[Tensor], points: Tensor) -> Tensor:
    x = points
    for each in weights[:-1]:
        x = (each @ x).relu()
    return weights[-1] @ x


def survey(
    densities: Iterable[float],
    copies: Iterable[int],
    draws: int,
    scale: float,
    seed: int,
    widths: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Return the error of strong tickets by density and number of copies, of one weight or of a network of `widths`.

    Columns: target ("one weight", or its widths), density, copies, available (p n, how many the mask leaves on
    average), mean, low and high (of log2 error, with its 95 % t interval), sem (its standard error), n (draws), least
    (log2 of the lower bound on the geometric mean; of one weight only), and below (draws with an error under 1/(2 A),
    which have a probability of 1/2 at most).
    """
    name = "-".join(map(str, widths)) if widths else "one weight"
    rows = []
    for density, count in product(densities, copies):
        stream = generator("theory-ticket", seed, f"{name} {density} {count} {scale}")
        arguments = (density, count, draws, scale, stream)
        errors = network_errors(widths, *arguments) if widths else weight_errors(*arguments)
        logs = errors.clamp(min=2.0**-50).log2().numpy()
        least = least_error(density, count, scale)
        rows.append(
            {
                "target": name,
                "density": density,
                "copies": count,
                "available": density * count,
                **stats.mean_interval(logs)._asdict(),
                "sem": logs.std(ddof=1) / math.sqrt(draws),
                "n": draws,
                "least": math.nan if widths else math.log2(least),
                "below": math.nan if widths else int((errors < math.e * least / 2).sum()),
            }
        )
    return pd.DataFrame(rows)


def rates(errors: pd.DataFrame, fewest: float = 2.0, alpha: float = 0.05) -> pd.DataFrame:
    """Return how many bits of error each available weight takes away: minus the slope of log2 error over p n.

    By least squares over the numbers of copies with p n of `fewest` at least; rows target and density, rate, low and
    high (simultaneous 1 - alpha limits over all rows, from the standard errors of the means), points. Fewer than two
    such numbers give nan.

    Args:
        errors: as from `survey`.
    """
    rows = []
    groups = errors.groupby(["target", "density"], sort=False)
    quantile = -distributions.norm.ppf(alpha / 2 / max(1, len(groups)))
    for (target, density), own in groups:
        own = own[own["available"] >= fewest]
        x = own["available"].to_numpy() - own["available"].mean()
        weights = x / (x**2).sum() if len(own) > 1 else np.full(len(own), np.nan)
        rate = -float((weights * own["mean"]).sum(skipna=False)) if len(own) else math.nan
        error = quantile * math.sqrt((weights**2 * own["sem"] ** 2).sum(skipna=False)) if len(own) else math.nan
        rows.append((target, density, rate, rate - error, rate + error, len(own)))
    return pd.DataFrame(rows, columns=["target", "density", "rate", "low", "high", "points"])
