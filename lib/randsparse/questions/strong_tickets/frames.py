"""What runs of notebook 09 say: strong tickets of dense and of random sources, frozen and fine-tuned."""

from __future__ import annotations

import numpy as np
import pandas as pd

from randsparse.comparison import frames, stats
from randsparse.comparison.design import DENSE, RANDOM, TICKET, Comparison
from randsparse.comparison.verdicts import Row, conclude
from randsparse.runs.store import Store

LONGER, FROZEN, TUNED = "random, as long", "frozen", "fine-tuned"
STAGES = {FROZEN: "Weights frozen, edges chosen", TUNED: "Then fine-tuned"}
"""What a ticket goes through, by stage."""
PER_RANDOM, PER_LONGER, PER_FROZEN = "frozen − random", "fine-tuned − random, as long", "fine-tuned − frozen"
"""What a ticket is compared with, besides tickets of other sources and weights."""
POINT = ["stage", "source", "sparsity"]


def results(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return `frames.results` with the columns of `labelled`."""
    return labelled(frames.results(compared, store))


def curves(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return `frames.curves` with the columns of `labelled`."""
    return labelled(frames.curves(compared, store))


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose columns are fields of RunConfig with what each row stands for.

    `stage`: dense; RANDOM, static masks trained for as many epochs as edges are chosen; LONGER, for those of
    fine-tuning, too; FROZEN and TUNED tickets. `source`: of a ticket, in words; "" for others.
    """
    epochs = frame.loc[frame["arm"] == DENSE, "epochs"].max()
    ticket, tuned = frame["method"] == TICKET, frame["fine_tune_epochs"] > 0
    stages = [frame["arm"] == DENSE, ticket & tuned, ticket, frame["epochs"] > epochs]
    stage = np.select(stages, [DENSE, TUNED, FROZEN, LONGER], RANDOM)
    pairs = zip(frame["source_sparsity"], frame["source_rule"], strict=True)
    names = pd.Series([source_name(*pair) for pair in pairs], index=frame.index, dtype=object)
    return frame.assign(stage=stage, source=names.where(ticket, ""))


def source_name(sparsity: float, rule: str) -> str:
    """Return a source mask in words: the dense network, or a random mask with its rule and density."""
    return f"{rule.upper()} source, density {1 - sparsity:.4g}" if sparsity else "dense source"


def of_kind(frame: pd.DataFrame, weights: str) -> pd.DataFrame:
    """Return the tickets of one kind of weights, and all that are no tickets."""
    return frame[(frame["source"] == "") | (frame["frozen_weights"] == weights)]


def of_sources(frame: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return tickets of random sources minus those of the dense network, at each stage, source and sparsity.

    Args:
        frame: as from `results`, with tickets of one kind of weights.
        margin: the difference that matters, a fraction.

    The columns of `stats.comparisons`, with stage, source and compared (in words); `structure` is the source's name, by
    which `verdicts.row` tells rows apart.
    """
    found = []
    for stage in STAGES:
        own = frame[frame["stage"] == stage]
        dense = own["source_sparsity"] == 0
        compared = f"{stage}: random − dense source"
        found.append(_gaps(own[~dense], own[dense], margin, same_source=False).assign(stage=stage, compared=compared))
    return _below(found)


def worth(frame: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return what tickets are worth, at each source and sparsity: minus random masks, and what fine-tuning adds.

    Frozen tickets minus random masks trained as long as their edges were chosen; fine-tuned ones minus random masks
    trained as long as both took together; and fine-tuned ones minus frozen ones, of the same source. Columns as from
    `of_sources`; `compared` is PER_RANDOM, PER_LONGER or PER_FROZEN.
    """
    pairs = {PER_RANDOM: (FROZEN, RANDOM), PER_LONGER: (TUNED, LONGER), PER_FROZEN: (TUNED, FROZEN)}
    found = []
    for compared, stages in pairs.items():
        rows = [frame[frame["stage"] == stage] for stage in stages]
        gaps = _gaps(*rows, margin, same_source=compared == PER_FROZEN)
        found.append(gaps.assign(stage=stages[0], compared=compared))
    return _below(found)


def of_weights(frame: pd.DataFrame, weights: list[str], margin: float) -> pd.DataFrame:
    """Return tickets of the first kind of weights minus those of each other, at each stage and source.

    Columns as from `of_sources`.
    """
    found = []
    for stage in STAGES:
        own = frame[frame["stage"] == stage]
        first, *others = [own[own["frozen_weights"] == kind] for kind in weights]
        for kind, other in zip(weights[1:], others, strict=True):
            gaps = _gaps(first, other, margin, same_source=True)
            found.append(gaps.assign(stage=stage, compared=f"{stage}: {weights[0]} − {kind}"))
    return _below(found)


def _gaps(a: pd.DataFrame, b: pd.DataFrame, margin: float, same_source: bool) -> pd.DataFrame:
    """Return a minus b at each source of a and sparsity that both have runs of."""
    found = []
    for source in dict.fromkeys(a["source"]):
        own, other = a[a["source"] == source], b[b["source"] == source] if same_source else b
        both = pd.concat([own.assign(arm="a"), other.assign(arm="b")])
        gaps = stats.comparisons(both, "a", "b", margin=margin)
        gaps = gaps[(gaps["n"] > 0) & (gaps["n_baseline"] > 0)]
        found.append(gaps.assign(structure=source, source=source))
    return _below(found)


def _below(found: list[pd.DataFrame]) -> pd.DataFrame:
    """Return frames below each other; if there is nothing in them, their columns alone."""
    empty = pd.DataFrame(columns=["arm", "structure", "sparsity", "test_accuracy"])
    nothing = stats.comparisons(empty).assign(source="", stage="", compared="")
    return pd.concat([each for each in found if len(each)] or [nothing], ignore_index=True)


def costs(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what each arm cost to train, one row per stage, source and sparsity: means over its runs.

    Columns: stage, source, sparsity, runs, epochs, kept_flops (training FLOPs on kept weights, those of the dense
    gradients of a source counted, as a share of a dense run's), computed_flops (as computed, the same share), on_path
    (share of kept weights on a path from input to classes), and test_accuracy.

    Args:
        frame: as from `results`, with tickets of one kind of weights.
    """
    dense = frame.loc[frame["stage"] == DENSE, ["sparse_flops", "flops"]].mean()
    rows = frame.assign(
        kept_flops=frame["sparse_flops"] / dense["sparse_flops"],
        computed_flops=frame["flops"] / dense["flops"],
        on_path=frame["density_effective"] / frame["density_realised"],
    )
    means = ["epochs", "kept_flops", "computed_flops", "on_path", "test_accuracy"]
    grouped = rows.groupby(POINT, sort=False)
    return grouped.size().rename("runs").to_frame().join(grouped[means].mean()).reset_index()


def halfway(frame: pd.DataFrame, chance: float) -> float:
    """Return the accuracy half-way from chance to the mean of the dense networks."""
    return (chance + frame.loc[frame["stage"] == DENSE, "test_accuracy"].mean()) / 2


def above(claim: str, frame: pd.DataFrame, least: float, alpha: float = 0.05) -> Row:
    """Judge whether the mean accuracy at every source and sparsity is above `least`.

    Supported if each 1 - alpha t-interval lies above; contradicted if one lies below after Bonferroni's correction for
    how many there are; otherwise, and without any run, inconclusive.

    Args:
        frame: one row per run with source, sparsity and test_accuracy.
    """
    table = stats.summary(frame, ["source", "sparsity"], "test_accuracy", 1 - alpha)
    wide = stats.summary(frame, ["source", "sparsity"], "test_accuracy", 1 - alpha / max(1, len(table)))
    holds, fails = table["low"] > least, wide["high"] < least
    if table.empty:
        return conclude(claim, holds, fails, "no run")
    worst = table.loc[table["mean"].idxmin()]
    mean, low, high = (f"{100 * value:.1f}" for value in worst[["mean", "low", "high"]].astype(float).clip(0, 1))
    evidence = (
        f"{holds.sum()} of {len(table)} intervals above {100 * least:.1f} %; the lowest mean is {mean} % "
        f"[{low}, {high}] at {100 * worst['sparsity']:.4g} % ({worst['source']}); n = {table['n'].min()}"
    )
    return conclude(claim, holds, fails, evidence)
