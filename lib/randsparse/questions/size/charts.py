"""Charts of networks of several depths and widths: accuracy, the gap to dense, and what a network costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from randsparse.comparison import plots, stats
from randsparse.comparison.marks import SHAPES, VERDICT_MARKERS, errors, limit, model_colours, shift
from randsparse.comparison.plots import MARKERS, PALETTE, styled

COSTS = {"weights": "Weights kept", "flops_per_image": "Forward FLOPs of an image, on kept weights"}


@styled
def accuracy_by_model(frame: pd.DataFrame, published: pd.DataFrame | None = None) -> Figure:
    """Draw test accuracy of random masks and dense networks against sparsity, a panel per family, a line per model.

    Args:
        frame: one row per run with arm, model, sparsity and test_accuracy; dense networks have sparsity 0.
        published: points of the same configurations (model, sparsity, test_accuracy), drawn hollow.
    """
    plots.need(frame, "arm", "model", "sparsity", "test_accuracy")
    own = frame[frame["arm"].isin(["dense", "random"])]
    families = {name: family(name) for name in dict.fromkeys(own["model"])}
    titles = list(dict.fromkeys(families.values()))
    figure, axes = plots.panels(titles)
    for ax, title in zip(axes, titles, strict=True):
        models = [name for name, each in families.items() if each == title]
        colours = model_colours(models)
        for index, model in enumerate(models):
            rows = own[own["model"] == model]
            table = stats.summary(rows, ["sparsity"], "test_accuracy")
            label = f"{model} ({plots.count_text(table['n'])})"
            style = {"color": colours[model], "marker": SHAPES[index % len(SHAPES)]}
            places = shift(table["sparsity"], 0.05 * (index - (len(models) - 1) / 2))
            ax.errorbar(places, table["mean"], yerr=errors(table), label=label, elinewidth=1, **style)
            if published is not None and len(points := published[published["model"] == model]):
                ax.plot(
                    points["sparsity"],
                    points["test_accuracy"],
                    linestyle="none",
                    markerfacecolor="none",
                    markersize=8,
                    label=f"{model}, published",
                    **style,
                )
        values = own.loc[own["model"].isin(models), "test_accuracy"].dropna()
        plots.sparsity_axis(ax, own.loc[own["model"].isin(models), "sparsity"])
        limit(ax, values, low=0, high=1)
        plots.percent(ax, "Test accuracy" if ax is axes[0] else "")
    plots.legend(figure)
    return figure


def family(model: str) -> str:
    """Return the family of a model that a panel stands for: "ResNet", or "Wide ResNet"."""
    return {"resnet": "ResNet", "wrn": "Wide ResNet"}[model.partition("-")[0]]


@styled
def gap_to_dense(gaps: pd.DataFrame, margin: float, label: str = "random − dense") -> Figure:
    """Draw differences to another arm with 95 % intervals against sparsity, a panel per model; markers are verdicts.

    Args:
        gaps: as from `frames.gaps`.
        margin: the difference that matters, a fraction; shaded.
    """
    plots.need(gaps, "model", "sparsity", "mean", "low", "high", "n", "verdict")
    models = list(dict.fromkeys(gaps["model"]))
    figure, axes = plots.panels(models, columns=min(4, len(models)), width=2.9, height=2.7, sharey=True)
    for ax, model in zip(axes, models, strict=True):
        own = gaps[gaps["model"] == model]
        ax.set_title(f"{model} ({plots.count_text(own['n'])})")
        plots.sparsity_axis(ax, own["sparsity"])
        ax.set_xlabel("Sparsity (% of weights)")
        ax.axhspan(-margin, margin, color="#56B4E9", alpha=0.2, linewidth=0, label=f"within ±{100 * margin:.3g} points")
        ax.axhline(0, color="#555555", linewidth=0.8)
        _verdicts(ax, own)
        plots.percent(ax, "")
    limit(axes[0], pd.concat([gaps["mean"], pd.Series([-1.5 * margin, 1.5 * margin])]))
    axes[0].set_ylabel(f"{label}\n(percentage points)")
    plots.legend(figure)
    return figure


def _verdicts(ax: Axes, rows: pd.DataFrame) -> None:
    for kind, marker in VERDICT_MARKERS.items():
        chosen = rows[rows["verdict"] == kind]
        fill = "white" if kind == "inconclusive" else "#222222"
        if len(chosen):
            ax.errorbar(
                chosen["sparsity"],
                chosen["mean"],
                yerr=errors(chosen),
                color="#222222",
                linestyle="none",
                marker=marker,
                markersize=6.5,
                elinewidth=1.2,
                label=kind,
                markerfacecolor=fill,
            )


@styled
def accuracy_vs_cost(frame: pd.DataFrame) -> Figure:
    """Draw mean test accuracy against weights kept and against FLOPs, a line per arm and model, with 95 % intervals.

    Args:
        frame: one row per run with arm, model, sparsity, test_accuracy, and the columns of COSTS.
    """
    plots.need(frame, "arm", "model", "sparsity", "test_accuracy", *COSTS)
    figure, axes = plots.panels(list(COSTS.values()), sharey=True)
    models = list(dict.fromkeys(frame["model"]))
    shades = model_colours(models)
    for ax, (cost, name) in zip(axes, COSTS.items(), strict=True):
        for index, model in enumerate(models):
            own = frame[(frame["model"] == model) & frame["arm"].isin(["dense", "random"])]
            style = {"color": shades[model], "marker": SHAPES[index % len(SHAPES)]}
            _line(ax, own, cost, f"{model}, random masks", style)
        for arm in plots.ordered(set(frame["arm"]) - {"dense", "random"}, PALETTE):
            _line(ax, frame[frame["arm"] == arm], cost, arm, {"color": PALETTE[arm], "marker": MARKERS[arm]}, "--")
        ax.set_xscale("log")
        ax.set_xlabel(f"{name} (log scale)")
        ax.set_title("")
        plots.percent(ax, "Test accuracy" if ax is axes[0] else "")
    limit(axes[0], frame["test_accuracy"].dropna(), low=0, high=1)
    plots.legend(figure)
    return figure


def _line(ax: Axes, rows: pd.DataFrame, cost: str, label: str, style: dict[str, Any], line: str = "-") -> None:
    table = stats.summary(rows, ["model", "sparsity"], "test_accuracy")
    centre = rows.groupby(["model", "sparsity"], dropna=False)[cost].mean().reset_index()
    table = table.merge(centre, on=["model", "sparsity"]).sort_values(cost)
    ax.errorbar(
        table[cost],
        table["mean"],
        yerr=errors(table),
        linestyle=line,
        elinewidth=1,
        label=f"{label} ({plots.count_text(table['n'])})",
        **style,
    )


@styled
def learning_rates(rates: pd.DataFrame) -> Figure:
    """Draw validation accuracy against learning rate, a line per sparsity, the chosen rate of each ringed.

    Args:
        rates: one row per trial with sparsity, lr, val_accuracy and chosen.
    """
    plots.need(rates, "sparsity", "lr", "val_accuracy", "chosen")
    sparsities = sorted(rates["sparsity"].unique())
    colours = model_colours(sparsities)
    figure, (ax,) = plots.panels(["Chosen by validation accuracy, at each sparsity"], width=5.6)
    aside = np.geomspace(0.97, 1.03, len(sparsities))
    for index, sparsity in enumerate(sparsities):
        own = rates[rates["sparsity"] == sparsity]
        table = stats.summary(own, ["lr"], "val_accuracy")
        table = table[table["n"] > 0]
        label = f"{plots.percent_text(sparsity)} % removed ({plots.count_text(table['n'])})"
        ax.errorbar(
            table["lr"] * aside[index],
            table["mean"],
            yerr=errors(table),
            color=colours[sparsity],
            marker=SHAPES[index % len(SHAPES)],
            elinewidth=1,
            label=label,
        )
        best = table[table["lr"].isin(own.loc[own["chosen"], "lr"])]
        ax.plot(
            best["lr"] * aside[index], best["mean"], "o", markersize=13, markerfacecolor="none", color=colours[sparsity]
        )
    ax.set_xscale("log")
    ax.set_xticks(sorted(rates["lr"].unique()), [f"{rate:g}" for rate in sorted(rates["lr"].unique())])
    ax.minorticks_off()
    ax.set_xlabel("Peak learning rate (log scale)")
    limit(ax, rates["val_accuracy"].dropna(), low=0, high=1)
    plots.percent(ax, "Validation accuracy")
    plots.legend(figure)
    return figure


@styled
def published_gaps(published: pd.DataFrame, rule: str) -> Figure:
    """Draw what was published: accuracy of each model minus that of its dense network, against sparsity.

    Args:
        published: as from `frames.published`.
        rule: whose points are shown.
    """
    plots.need(published, "model", "rule", "sparsity", "test_accuracy")
    models = list(dict.fromkeys(published["model"]))
    colours = model_colours(models)
    figure, (ax,) = plots.panels([f"Published: {rule}"], width=5.6)
    for index, model in enumerate(models):
        own = published[published["model"] == model]
        dense = own.loc[own["rule"] == "dense", "test_accuracy"].iloc[0]
        rows = own[own["rule"] == rule].sort_values("sparsity")
        ax.plot(
            rows["sparsity"],
            rows["test_accuracy"] - dense,
            color=colours[model],
            markerfacecolor="none",
            marker=SHAPES[index % len(SHAPES)],
            label=model,
        )
    ax.axhline(0, color="#555555", linewidth=0.8)
    plots.sparsity_axis(ax, published.loc[published["rule"] == rule, "sparsity"])
    plots.percent(ax, "")
    ax.set_ylabel("random − dense\n(percentage points)")
    plots.legend(figure)
    return figure
