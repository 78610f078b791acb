"""The charts of rules and score masks: what each layer keeps, accuracy at equal density, and differences.

Rules have the looks of `marks.rule_look`, and score masks those of their rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from randsparse.comparison import marks, plots, stats
from randsparse.comparison.design import DENSE
from randsparse.comparison.marks import GREY, RULE_COLOURS, rule_look, rules_of
from randsparse.comparison.plots import PALETTE, styled
from randsparse.questions.layerwise_density.frames import shares
from randsparse.questions.layerwise_density.plan import score_mask

WRITTEN = 14
"""The most layers whose densities are written into their cells."""


@styled
def accuracy_by_rule(
    frame: pd.DataFrame,
    infeasible: Iterable[tuple[str, float, str]] = (),
    reference: str = "erk",
    y: str = "test_accuracy",
) -> Figure:
    """Draw accuracy against sparsity, a panel per rule: means with 95 % t intervals and every run.

    Args:
        frame: one row per run, with arm (a rule, or "dense", a band), sparsity and y.
        infeasible: (structure, sparsity, rule) that cannot be reached: crosses on the lower edge.
        reference: the rule whose means are a black line in every panel; those of the others are grey.

    Both axes are logarithmic, in density and in error, so that differences near 100 % and near chance can be read.
    """
    plots.need(frame, "sparsity", y)
    plots.need(frame.dropna(subset=[y]))
    sparse, dense = frame[frame["arm"] != DENSE], frame[frame["arm"] == DENSE]
    crosses = [(rule, sparsity) for _, sparsity, rule in infeasible]
    rules = rules_of([*sparse["arm"], *(rule for rule, _ in crosses)])
    means = stats.summary(sparse, ["arm", "sparsity"], y)
    means[["low", "high"]] = means[["low", "high"]].clip(0, 1)
    columns = min(4, 3, key=lambda count: -len(rules) % count)  # as few gaps as can be
    figure, axes = plots.panels(rules, columns=columns, width=2.5, height=2.1, sharey=True)
    for index, (ax, rule) in enumerate(zip(axes, rules, strict=True)):
        plots.sparsity_axis(ax, [*sparse["sparsity"], *(sparsity for _, sparsity in crosses)])
        if len(dense):
            marks.dense_band(ax, dense[y])
        for other in rules:
            _mean_line(ax, means[means["arm"] == other], other, reference)
        _runs(ax, sparse[sparse["arm"] == rule], means[means["arm"] == rule], rule, y)
        for _, sparsity in (each for each in crosses if each[0] == rule):
            ax.plot(sparsity, 0.03, "x", color=GREY, transform=ax.get_xaxis_transform())
        marks.count_missing(ax, sparse.loc[sparse["arm"] == rule, y])
        ax.tick_params(labelsize=7.5)
        ax.set_xlabel("Sparsity (% of weights)" if index + columns >= len(rules) else "")
    marks.error_axis(axes[0], pd.concat([frame[y], means["low"], means["high"]]).dropna())
    for ax in axes:
        ax.set_ylabel("Test accuracy (%)" if ax.get_subplotspec().is_first_col() else "")
    if crosses:
        axes[0].plot([], [], "x", color=GREY, label="cannot be reached")
    plots.legend(figure)
    return figure


def _mean_line(ax: Axes, table: pd.DataFrame, rule: str, reference: str) -> None:
    """Draw the means of a rule as context: black for the reference, grey for the others."""
    look = {"color": "#c8c8c8", "linewidth": 0.8, "label": "other rules"}
    if rule == reference:
        look = {"color": PALETTE["dense"], "linewidth": 1.1, "linestyle": ":", "label": f"{reference}, in every panel"}
    ax.plot(table["sparsity"], table["mean"], zorder=1.5, **look)


def _runs(ax: Axes, rows: pd.DataFrame, table: pd.DataFrame, rule: str, y: str) -> None:
    """Draw the means of a rule, their intervals, and its runs a little to the right of them."""
    table = table[table["n"] > 0]
    if table.empty:
        return
    look = rule_look(rule) | {"elinewidth": 1, "zorder": 3}
    ax.errorbar(table["sparsity"], table["mean"], yerr=marks.errors(table), **look)
    aside = plots.from_axis(plots.to_axis(rows["sparsity"]) + 0.22)
    ax.scatter(aside, rows[y], s=7, color=RULE_COLOURS[rule], alpha=0.7, linewidths=0, zorder=3)


@styled
def differences_by_rule(rows: pd.DataFrame, margin: float, infeasible: Iterable[tuple[str, float, str]] = ()) -> Figure:
    """Draw the accuracy of each rule minus that of one other, with 95 % Welch intervals, a panel per sparsity.

    Args:
        rows: as from `frames.differences`, all with one baseline.
        margin: the difference that matters, a fraction; shaded.
        infeasible: (structure, sparsity, rule) that cannot be reached: said so in the row of the rule.

    Each panel has its own scale, and shows at most the range of the means thrice.
    """
    plots.need(rows, "sparsity", "baseline", "mean", "low", "high", "n", "verdict")
    sparsities, crosses = sorted(rows["sparsity"].unique()), {(sparsity, rule) for _, sparsity, rule in infeasible}
    names = rules_of([*rows["arm"], *(rule for _, rule in crosses)])
    titles = [f"{plots.percent_text(sparsity)} % of weights removed" for sparsity in sparsities]
    figure, axes = plots.panels(titles, columns=min(4, len(titles)), width=2.6, height=1.1 + 0.21 * len(names))
    for ax, sparsity in zip(axes, sparsities, strict=True):
        own = rows[rows["sparsity"] == sparsity]
        marks.forest(ax, own.assign(row=own["arm"]), names, margin)
        for name in (name for name in names if (sparsity, name) in crosses):
            ax.text(
                0.5,
                names.index(name),
                "cannot be reached",
                transform=ax.get_yaxis_transform(),
                fontsize=6.5,
                color=GREY,
                ha="center",
                va="center",
            )
        ax.set_xlabel(f"rule − {rows['baseline'].iloc[0]} (points)")
        ax.tick_params(axis="x", labelsize=7.5)
    plots.legend(figure)
    return figure


@styled
def mask_differences(shuffled: pd.DataFrame, redrawn: pd.DataFrame, margin: float) -> Figure:
    """Draw what a score mask has over its shuffled version, and over itself around other initial weights.

    Args:
        shuffled, redrawn: as from `frames.differences`, arm being `plan.score_mask` of a criterion.
        margin: the difference that matters, a fraction; shaded.

    Both panels have one scale; a row is a criterion, and a sparsity where there are several.
    """
    tests = {"mask − shuffled in its layers": shuffled, "mask − same, other initial weights": redrawn}
    tests = {title: rows.assign(rule=rows["arm"].map(_criterion)) for title, rows in tests.items()}
    plots.need(shuffled, "sparsity", "mean", "low", "high", "n", "verdict")
    several = shuffled["sparsity"].nunique() > 1
    for title, rows in tests.items():
        at = rows["sparsity"].map(lambda sparsity: f", {plots.percent_text(sparsity)} %") if several else ""
        tests[title] = rows.assign(row=rows["rule"] + at)
    first = tests["mask − shuffled in its layers"]
    keys = first.assign(order=first["rule"].map(list(RULE_COLOURS).index)).sort_values(["order", "sparsity"])
    names = list(dict.fromkeys(keys["row"]))
    figure, axes = plots.panels(list(tests), width=4.0, height=1.3 + 0.3 * len(names), sharex=True)
    for ax, rows in zip(axes, tests.values(), strict=True):
        marks.forest(ax, rows.assign(arm=rows["rule"]), names, margin, pd.concat(tests.values()))
        ax.set_xlabel("difference of test accuracy (points)")
    plots.legend(figure)
    return figure


def _criterion(arm: str) -> str:
    return next(name for name in RULE_COLOURS if arm in (name, score_mask(name), score_mask(name, new_init=True)))


@styled
def accuracy_vs_effective(frame: pd.DataFrame, ranks: pd.DataFrame) -> Figure:
    """Draw accuracy minus that of the dense networks against effective / realised density, a panel per sparsity.

    Args:
        frame: one row per run, with arm (a rule, or "dense"), sparsity, test_accuracy and densities.
        ranks: as from `frames.effective_ranks`; its sparsities are shown, with rho, but for those where all rules
            have one effective density (unless that holds for all).

    Means of the rules with 95 % t intervals, and every run, small.
    """
    plots.need(ranks, "sparsity", *stats.Correlation._fields)
    ranks = ranks.dropna(subset=["rho"]) if ranks["rho"].notna().any() else ranks
    runs = shares(frame)
    runs["gap"] = runs["test_accuracy"] - frame.loc[frame["arm"] == DENSE, "test_accuracy"].mean()
    titles = [f"{plots.percent_text(row.sparsity)} % of weights removed\n{_rank(row)}" for row in ranks.itertuples()]
    figure, axes = plots.panels(titles, columns=min(4, len(titles)), width=2.7, height=2.6)
    for ax, sparsity in zip(axes, ranks["sparsity"], strict=True):
        own = runs[runs["sparsity"] == sparsity]
        for rule in rules_of(runs["arm"]):
            rows = own[own["arm"] == rule]
            if rows.empty:
                ax.errorbar([], [], yerr=[], label=rule, **rule_look(rule) | {"linestyle": "none"})
                continue
            x, y = (pd.DataFrame([stats.mean_interval(rows[name])]) for name in ("share", "gap"))
            bars = {"xerr": marks.errors(x.clip(0, 1)), "yerr": marks.errors(y), "elinewidth": 0.8, "capsize": 1.5}
            look = rule_look(rule) | {"linestyle": "none", "markersize": 6, "label": rule}
            ax.errorbar(x["mean"], y["mean"], **bars, **look)
            ax.scatter(rows["share"], rows["gap"], s=6, color=RULE_COLOURS[rule], alpha=0.6, linewidths=0)
        marks.limit(ax, own["gap"])
        ax.set_title(ax.get_title(), fontsize=8.5)
        ax.xaxis.set_major_formatter(plots.percent_text)
        ax.yaxis.set_major_formatter(plots.percent_text)
        ax.tick_params(labelsize=7.5)
        ax.set_xlabel("Effective / realised density (%)")
        ax.set_ylabel("Test accuracy − dense (points)" if ax.get_subplotspec().is_first_col() else "")
    plots.legend(figure)
    return figure


def _rank(row: Any) -> str:
    return marks.rho_text(stats.Correlation(*(getattr(row, name) for name in stats.Correlation._fields)))


@styled
def accuracy_of_masks(frame: pd.DataFrame, criteria: Iterable[str], y: str = "test_accuracy") -> Figure:
    """Draw the accuracy of score masks and of what is left of them, a panel per sparsity.

    Means with 95 % t intervals, and runs.

    Args:
        frame: one row per run, with arm, sparsity and y: "dense" (a band), and of each criterion its mask, that mask
            around other initial weights (hollow), and its shuffled version (a diamond).
    """
    plots.need(frame, "sparsity", y)
    criteria = rules_of(criteria)
    versions = {
        "score mask": (score_mask, {"marker": "o"}),
        "score mask, other initial weights": (
            lambda name: score_mask(name, new_init=True),
            {"marker": "o", "markerfacecolor": "white"},
        ),
        "shuffled in its layers": (str, {"marker": "D", "markersize": 4}),
    }
    masks = frame[frame["arm"].isin([score_mask(name) for name in criteria])]
    sparsities = sorted(masks["sparsity"].unique())
    figure, axes = plots.panels([f"{plots.percent_text(each)} % of weights removed" for each in sparsities], width=5.2)
    for ax, sparsity in zip(axes, sparsities, strict=True):
        marks.dense_band(ax, frame.loc[frame["arm"] == DENSE, y])
        drawn = []
        for place, (label, (arm, look)) in zip((-0.22, 0, 0.22), versions.items(), strict=True):
            ax.plot([], [], color=GREY, linestyle="none", label=label, **look)
            for index, name in enumerate(criteria):
                rows = frame[(frame["arm"] == arm(name)) & (frame["sparsity"] == sparsity)].dropna(subset=[y])
                drawn += list(rows[y])
                table = pd.DataFrame([stats.mean_interval(rows[y])]).clip(0, 1)
                style = {"color": RULE_COLOURS[name], "elinewidth": 1} | look
                ax.errorbar(index + place, table["mean"], yerr=marks.errors(table), **style)
                ax.scatter([index + place + 0.08] * len(rows), rows[y], s=7, color=RULE_COLOURS[name], linewidths=0)
        ax.set_xticks(range(len(criteria)), criteria)
        ax.grid(axis="x", visible=False)
        marks.limit(ax, pd.Series(drawn), low=0, high=1)
        plots.percent(ax, "Test accuracy" if ax is axes[0] else "")
        ax.set_xlabel("Scores that give the counts of weights in each layer")
    plots.legend(figure)
    return figure
