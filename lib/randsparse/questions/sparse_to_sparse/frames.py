"""What runs of notebook 08 say: methods inside a random source against themselves from dense, static masks, and cost.

Runs are told apart by fields of their configs: method, source_sparsity (0: from the dense network), source_rule and
preserve_flow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from randsparse.comparison import frames
from randsparse.comparison.design import DENSE, RANDOM, SMALL_OWN, Comparison
from randsparse.data import catalogue
from randsparse.runs import methods
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Record, Store
from randsparse.sparsity.masks import Mask
from randsparse.training import network as networks
from randsparse.training.methods.dynamic import UPDATED, cosine

STATIC_KIND = "static masks"
PLACE = ["method", "source_sparsity", "source_rule"]


def results(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return `frames.results` with what training cost, and how often the mask changed.

    Columns: cost (training FLOPs on kept weights, over those of the dense networks), seconds (of training, as measured
    when the run was made), times_static (these, over the median of static random masks of that sparsity, or of all),
    begins_full (whether a method starts with all of its source), updates (of set, rigl, granet and gmp; else nan), and
    turnover: how often the kept weights can have been replaced in all of training.
    """
    frame = frames.results(compared, store)
    configs = {arm.config.key: arm.config for arm in compared.finished(store)}
    found = store.load(configs.values())
    seconds = frame["key"].map({key: record["cost"].get("seconds", np.nan) for key, record in found.items()})
    static = seconds[frame["arm"] == RANDOM]
    alike = frame["sparsity"].map(static.groupby(frame["sparsity"]).median()).fillna(static.median())
    updates = pd.DataFrame([_updates(configs[key], found[key]) for key in frame["key"]], index=frame.index)
    changes = frame["method"].isin(methods.DYNAMIC)
    return frame.assign(
        cost=frame["sparse_flops"] / frame.loc[frame["arm"] == DENSE, "sparse_flops"].mean(),
        seconds=seconds,
        times_static=seconds / alike,
        begins_full=changes & ~frame["key"].map(lambda key: _draws_start(configs[key])).astype(bool),
        updates=updates["updates"],
        turnover=updates["turnover"],
    )


def _draws_start(config: RunConfig) -> bool:
    return config.method in methods.DYNAMIC and methods.draws_start(config)


def _updates(config: RunConfig, record: Record) -> dict[str, float]:
    """Return how many updates of the mask a run had, and the sum of the shares of weights that they replace."""
    cost = record["cost"]
    if config.method not in UPDATED or not cost.get("images"):
        return {"updates": np.nan, "turnover": np.nan}
    schedule = methods.Schedule(config, cost["images"] // cost["epochs"] // config.batch_size)
    steps = [schedule.first + number * schedule.interval for number in range(1, schedule.updates + 1)]
    decays = config.prune_decay == "cosine"
    rates = [cosine(config.prune_rate, schedule.progress(step)) if decays else config.prune_rate for step in steps]
    return {"updates": schedule.updates, "turnover": 0.0 if config.method == "gmp" else sum(rates)}


def masked(compared: Comparison) -> Comparison:
    """Return the comparison without small dense networks, whose weights are as near to the density as widths can be."""
    return replace(compared, arms=tuple(arm for arm in compared.arms if arm.config.method != "small-dense"))


def main(frame: pd.DataFrame, sparsities: Iterable[float], from_sources: Iterable[float], rule: str) -> pd.DataFrame:
    """Return the rows of dense networks, and at `sparsities` those of controls and of methods in sources by `rule`."""
    chosen = frame["arm"].isin([RANDOM, SMALL_OWN]) | _inside(frame, from_sources, rule)
    return frame[is_dense(frame) | (chosen & frame["sparsity"].isin(list(sparsities)))]


def swept(frame: pd.DataFrame, method: str, sparsity: float, from_sources: Iterable[float], rule: str) -> pd.DataFrame:
    """Return the rows of one method and sparsity in several sources, with those of static masks and dense networks."""
    chosen = (frame["arm"] == RANDOM) | (_inside(frame, from_sources, rule) & (frame["method"] == method))
    return frame[(frame["arm"] == DENSE) | (chosen & (frame["sparsity"] == sparsity))]


def spread(frame: pd.DataFrame, method: str, sparsity: float, source: float, rules: Iterable[str]) -> pd.DataFrame:
    """Return the rows that show what a rule and its flow are worth, at one sparsity.

    Columns added: kind (STATIC_KIND, or which method in sources) and spread_by: the rule of the mask, or of the source.
    """
    static = frame["method"] == "static"
    kind = np.where(static, STATIC_KIND, f"{method} in sources, {100 * source:.4g} % sparse")
    found = frame.assign(kind=kind, spread_by=frame["rule"].where(static, frame["source_rule"]))
    inside = (frame["method"] == method) & (frame["source_sparsity"] == source)
    return found[(frame["sparsity"] == sparsity) & (static | inside) & found["spread_by"].isin(list(rules))]


def is_dense(frame: pd.DataFrame) -> pd.Series:
    """Return which rows are of dense networks, however long they are trained."""
    return frame["sparsity"] == 0


def _inside(frame: pd.DataFrame, from_sources: Iterable[float], rule: str) -> pd.Series:
    source = frame["source_sparsity"]
    own = (source == 0) | (frame["source_rule"] == rule)
    return frame["method"].isin(methods.DYNAMIC) & source.isin(list(from_sources)) & own & ~frame["preserve_flow"]


def from_dense(frame: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return each method inside a source minus the same method from dense: `frames.differences`, with PLACE."""
    changing = frame[frame["method"].isin(methods.DYNAMIC)]
    starts = changing[changing["source_sparsity"] == 0].drop_duplicates("arm").set_index("method")["arm"]
    inside = changing[changing["source_sparsity"] > 0].drop_duplicates("arm")
    pairs = [(row.arm, starts[row.method]) for row in inside.itertuples() if row.method in starts]
    return placed(frames.differences(frame, pairs, margin), frame)


def on_average(frame: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return the mean over all methods inside a source minus that from dense, replicates being those of the means.

    A replicate is one seed of all methods: its mean varies less than a single run. Columns as of `from_dense`.
    """
    changing = frame[frame["method"].isin(methods.DYNAMIC)]
    by = ["structure", "sparsity", "source_sparsity", "source_rule", "replicate"]
    changing = changing.assign(source_rule=changing["source_rule"].where(changing["source_sparsity"] > 0, DENSE))
    means = changing.groupby(by, as_index=False)["test_accuracy"].agg(lambda values: values.mean(skipna=False))
    names = {source: f"methods in {1 - source:.4g}" if source else "methods" for source in means["source_sparsity"]}
    means = means.assign(arm=means["source_sparsity"].map(names), method="mean")
    pairs = [(name, names[0.0]) for source, name in names.items() if source and 0.0 in names]
    return placed(frames.differences(means, pairs, margin), means)


def from_static(frame: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return each method, inside sources and from dense, minus static random masks: as `from_dense`."""
    arms = frame.loc[frame["method"].isin(methods.DYNAMIC), "arm"].unique()
    return placed(frames.differences(frame, [(arm, RANDOM) for arm in arms], margin), frame)


def placed(differences: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return differences with the columns PLACE of their arms."""
    return differences.merge(frame[["arm", *PLACE]].drop_duplicates("arm"), on="arm", how="left")


def by_seed(frame: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return test accuracy of a method minus that of the static random mask of the same seeds, one row per run.

    Columns sparsity, source_sparsity, replicate, difference, and cost: FLOPs over those of the static mask.
    """
    static = frame.loc[frame["arm"] == RANDOM, ["sparsity", "replicate", "test_accuracy", "cost"]]
    both = frame[frame["method"] == method].merge(static, on=["sparsity", "replicate"], suffixes=("", "_static"))
    both["difference"] = both["test_accuracy"] - both["test_accuracy_static"]
    both["cost"] = both["cost"] / both["cost_static"]
    return both[["sparsity", "source_sparsity", "replicate", "difference", "cost"]]


def exploration(frame: pd.DataFrame) -> pd.DataFrame:
    """Return how much of its source a method that keeps its density can have tried, one row per sparsity and source.

    Columns method, sparsity, source_sparsity, updates, turnover, and tried: of the source's weights, the largest share
    that was ever kept, if no update returned to a weight that had been dropped.
    """
    own = frame[frame["turnover"] > 0].drop_duplicates(["method", "sparsity", "source_sparsity"])
    own = own[~own["begins_full"]]
    tried = (1 - own["sparsity"]) / (1 - own["source_sparsity"]) * (1 + own["turnover"])
    columns = ["method", "sparsity", "source_sparsity", "updates", "turnover"]
    return own.assign(tried=tried.clip(upper=1))[[*columns, "tried"]].reset_index(drop=True)


def units_alone(compared: Comparison, keys: Iterable[str]) -> dict[str, float]:
    """Return, by key, the share of units without incoming or without outgoing edges, of a run's mask or source.

    Units are the rows and the columns of each layer (see `flow_preservation`). The masks are drawn again, as training
    draws them.
    """
    chosen = set(keys)
    configs = {arm.config.key: arm.config for arm in compared.arms if arm.config.key in chosen}
    return {key: _alone(config) for key, config in configs.items()}


def _alone(config: RunConfig) -> float:
    network = networks.create(config, *catalogue.shape(config.dataset))
    mask: Mask = network.source or network.mask
    edges = [kept.flatten(2).any(2) if kept.dim() > 2 else kept for kept in mask.values()]
    empty = sum(int((~each.any(0)).sum() + (~each.any(1)).sum()) for each in edges)
    return empty / sum(sum(each.shape) for each in edges)


def rule_table(rows: pd.DataFrame, compared: Comparison) -> pd.DataFrame:
    """Return one row per kind, rule and flow of `spread`: mean accuracy, units alone, and effective density.

    Columns kind, spread_by, preserve_flow, test_accuracy (mean), runs, alone (mean share of units without edges, of the
    static mask or of the source), and on_path: effective over realised density of the final mask.
    """
    alone = rows["key"].map(units_alone(compared, rows["key"]))
    found = rows.assign(alone=alone, on_path=rows["density_effective"] / rows["density_realised"])
    groups = found.sort_values("method", key=lambda names: names != "static", kind="stable").groupby(
        ["kind", "spread_by", "preserve_flow"], sort=False
    )
    return groups.agg(
        test_accuracy=("test_accuracy", "mean"),
        runs=("test_accuracy", "count"),
        alone=("alone", "mean"),
        on_path=("on_path", "mean"),
    ).reset_index()


def rule_differences(rows: pd.DataFrame, reference: str, margin: float) -> pd.DataFrame:
    """Return each rule minus `reference`, flow not preserved, within each kind of `spread`: as `frames.differences`.

    Columns added: kind, spread_by.
    """
    plain = rows[~rows["preserve_flow"]]
    return _pairwise(plain, plain[plain["spread_by"] == reference].assign(spread_by=None), ["kind"], margin)


def flow_differences(rows: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return flow preserved minus not, of each kind and rule of `spread`: as `rule_differences`."""
    flow = rows["preserve_flow"].astype(bool)
    return _pairwise(rows[flow], rows[~flow], ["kind", "spread_by"], margin)


def _pairwise(a: pd.DataFrame, b: pd.DataFrame, on: Sequence[str], margin: float) -> pd.DataFrame:
    """Return the arms of a minus those of b that agree in `on`."""
    names = [each[["arm", "kind", "spread_by"]].drop_duplicates("arm") for each in (a, b)]
    pairs = names[0].merge(names[1][["arm", *on]], on=list(on), suffixes=("", "_b"))
    pairs = pairs[pairs["arm"] != pairs["arm_b"]]
    frame = pd.concat([a, b]).drop_duplicates("key")
    found = frames.differences(frame, zip(pairs["arm"], pairs["arm_b"], strict=True), margin)
    return found.merge(names[0], on="arm", how="left")
