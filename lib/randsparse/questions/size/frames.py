"""What networks of several depths and widths lose to sparsity, and up to which sparsity it is nothing that matters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from randsparse.comparison import stats
from randsparse.comparison.design import DENSE, RANDOM, SMALL_OWN
from randsparse.comparison.verdicts import Row, conclude, row
from randsparse.questions.size.plan import SMALL_FLOPS

PUBLISHED = "liu2022_cifar10_depth.csv"
"""Test accuracies of Liu et al. 2022, below results/reference of the study."""
PUBLISHED_RECIPE = {
    "dataset": "cifar10",
    "train_samples": None,
    "epochs": 160,
    "batch_size": 128,
    "optimizer": "sgd",
    "lr": 0.1,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 5e-4,
    "schedule": "step",
    "warmup_epochs": 0.0,
    "label_smoothing": 0.0,
    "draw": "exact",
    "init_scale": "parent",
}
"""The fields of a run that the published runs share; sizes, masks, seeds and arithmetic aside."""


def at_the_edge(rates: pd.DataFrame) -> int:
    """Return at how many sparsities the chosen learning rate is the lowest or the highest of those tried."""
    chosen = rates[rates["chosen"]].groupby("sparsity")["lr"].first()
    return int(chosen.isin([rates["lr"].min(), rates["lr"].max()]).sum())


def rate_gains(rates: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return what the chosen learning rate of each sparsity gains over the one chosen for the dense network.

    Args:
        rates: as from `rates`, with sparsity 0 among them.

    The columns of `stats.comparisons`, of validation accuracy, with `lr` and `dense_lr`; one row per sparsity above 0.
    The gain is 0 where both are one, and biased upwards where they are not, as the same runs chose. Where both are the
    lowest or the highest rate that was tried, the verdict is "inconclusive": a better one may lie outside.
    """
    dense_rate = rates.loc[rates["chosen"] & (rates["sparsity"] == 0), "lr"].iloc[0]
    rows = []
    for sparsity, own in rates[rates["sparsity"] > 0].groupby("sparsity"):
        chosen, alike = own[own["chosen"]], own[own["lr"] == dense_rate]
        both = pd.concat([chosen.assign(arm="chosen"), alike.assign(arm="as dense")]).assign(structure="weight")
        compared = stats.comparisons(both, "chosen", "as dense", "val_accuracy", margin)
        if chosen["lr"].iloc[0] == dense_rate:  # the very same runs, which say nothing of rates beyond those tried
            inside = rates["lr"].min() < dense_rate < rates["lr"].max()
            p, verdict = (0.0, "equivalent") if inside else (1.0, "inconclusive")
            compared = compared.assign(low=0.0, high=0.0, p_difference=1.0, p_equivalence=p, verdict=verdict)
        rows.append(compared.assign(sparsity=sparsity, lr=chosen["lr"].iloc[0], dense_lr=dense_rate))
    return pd.concat(rows, ignore_index=True)


def gaps(frame: pd.DataFrame, margin: float, against: str = DENSE) -> pd.DataFrame:
    """Return random minus another arm of the same model at each sparsity: `stats.comparisons` with column model."""
    models = list(dict.fromkeys(frame["model"]))
    rows = [_of_model(frame, model, margin, against) for model in models]
    return pd.concat([each for each in rows if len(each)] or rows[:1], ignore_index=True)


def _of_model(frame: pd.DataFrame, model: str, margin: float, against: str) -> pd.DataFrame:
    own = frame[frame["model"] == model]
    if not {RANDOM, against} <= set(own["arm"]):
        own = own.iloc[:0]
    found = stats.comparisons(own[own["arm"].isin([RANDOM, against])], RANDOM, against, margin=margin)
    dense = own.loc[own["arm"] == DENSE, "weights"].mean()
    return found.dropna(subset=["mean"]).assign(model=model, dense_weights=dense)


def equivalent_up_to(gaps: pd.DataFrame) -> pd.DataFrame:
    """Return one row per model: the highest sparsity up to which random masks are shown to be equivalent to dense.

    Args:
        gaps: as from `gaps`, against the dense networks.

    Columns model, dense_weights, n (the fewest random runs), equivalent_up_to (the highest tested sparsity such that
    it and all lower tested ones are equivalent; nan if not even the lowest is), and worse_from (the lowest that is
    shown to be worse, nan if none is). What lies between is undecided.
    """
    rows = []
    for (model, weights), own in gaps.sort_values("sparsity").groupby(["model", "dense_weights"], sort=False):
        held = own["sparsity"][np.logical_and.accumulate(own["verdict"] == "equivalent")]
        worse = own.loc[own["verdict"] == "worse", "sparsity"]
        rows.append((model, weights, own["n"].min(), held.max(), worse.min()))
    return pd.DataFrame(rows, columns=["model", "dense_weights", "n", "equivalent_up_to", "worse_from"])


def larger_lose_less(gaps: pd.DataFrame, alpha: float = 0.05) -> Row:
    """Judge whether, at each sparsity, the gap to dense shrinks with the size of the network.

    By the rank correlation of gap and number of dense weights over models, within a sparsity: supported if each is
    positive with p < alpha (`stats.rank_significance`), contradicted if one is negative with p < alpha. Fewer than four
    models cannot tell.
    """
    rows = [(own["dense_weights"], own["mean"]) for _, own in gaps.groupby("sparsity")]
    ranks = [(stats.spearman(*pair).rho, stats.rank_significance(*pair)) for pair in rows]
    holds = [rho > 0 and p < alpha for rho, p in ranks]
    fails = [rho < 0 and p < alpha for rho, p in ranks]
    sparsities = sorted(gaps["sparsity"].unique())
    found = [f"{rho:+.2f} (p = {p:.2g}) at {s:.0%}" for s, (rho, p) in zip(sparsities, ranks, strict=True)]
    evidence = f"Spearman's rho of size and gap: {', '.join(found) or 'none'}; n = {gaps['model'].nunique()} models"
    return conclude("The larger the network, the less a random mask costs", holds, fails, evidence)


def width_claims(frame: pd.DataFrame, margin: float) -> list[Row]:
    """Judge sparse and wide against dense and narrow networks, at equal parameters and at equal FLOPs."""
    return [
        row(f"Sparse and wide beats dense and narrow at equal {what}", gaps(frame, margin, arm), "better")
        for what, arm in (("parameters", SMALL_OWN), ("FLOPs", SMALL_FLOPS))
    ]


def published(root: Path) -> pd.DataFrame:
    """Return what Liu et al. 2022 published: model, rule ("dense" or one of the study's), sparsity, test_accuracy."""
    frame = pd.read_csv(root / "results" / "reference" / PUBLISHED)
    rules = frame["rule"].replace({"ERK": "erk", "SNIP ratio": "snip"})
    return pd.DataFrame(
        {
            "model": frame["model"],
            "rule": rules,
            "sparsity": frame["sparsity"],
            "test_accuracy": frame["test_accuracy_percent"] / 100,
        }
    )


def comparable_published(frame: pd.DataFrame, root: Path) -> pd.DataFrame:
    """Return the published points, as from `published`, of models, rules and sparsities that runs in `frame` share.

    A run shares them if it has the whole recipe (PUBLISHED_RECIPE).
    """
    same = pd.Series(True, index=frame.index)
    for name, value in PUBLISHED_RECIPE.items():
        same &= frame[name].isna() if value is None else frame[name] == value
    ours = frame[same].assign(rule=frame["rule"].where(frame["sparsity"] > 0, "dense"))
    points = ours.loc[ours["arm"].isin([DENSE, RANDOM]), ["model", "rule", "sparsity"]].drop_duplicates()
    return published(root).merge(points, on=["model", "rule", "sparsity"])
