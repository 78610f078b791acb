"""The charts of densities layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullLocator

from randsparse.comparison import marks, plots
from randsparse.comparison.frames import OTHERS, ROLES
from randsparse.comparison.marks import rules_of
from randsparse.comparison.plots import PALETTE, styled
from randsparse.questions.layerwise_density.frames import roles

WRITTEN = 14
"""The most layers whose densities are written into their cells."""


@styled
def density_of_layers(layers: pd.DataFrame) -> Figure:
    """Draw the mean density of each layer under each rule as a shaded cell, a panel per sparsity.

    Args:
        layers: as `frames.layers` returns them, an arm a rule. First layer, shortcuts and classifier are framed.
    """
    plots.need(layers, "sparsity", "layer", "role", "density")
    means = layers.groupby(["sparsity", "arm", "layer"])["density"].mean()
    roles_of = dict(zip(layers["layer"], layers["role"], strict=True))
    sparsities, rules = sorted(layers["sparsity"].unique()), rules_of(layers["arm"])
    size = {"width": max(4.8, 1.2 + 0.36 * len(roles_of)), "height": 1.5 + 0.21 * len(rules)}
    titles = [f"{plots.percent_text(sparsity)} % of weights removed" for sparsity in sparsities]
    figure, axes = plots.panels(titles, columns=1 if len(roles_of) > WRITTEN else 2, **size)
    shade = LogNorm(min(0.5, means.min()), 1)
    for ax, sparsity in zip(axes, sparsities, strict=True):
        table = means[sparsity].unstack().reindex(index=rules, columns=list(roles_of))
        image = ax.imshow(table, cmap="cividis", norm=shade, aspect="auto")
        _cells(ax, table, roles_of)
        if len(roles_of) <= WRITTEN:
            _write(ax, table, shade)
        if not ax.get_subplotspec().is_first_col():
            ax.set_yticklabels([])
    bar = figure.colorbar(image, ax=axes, aspect=30, pad=0.01, label="Weights kept (%; log scale)")
    bar.locator, bar.minorlocator, bar.formatter = LogLocator(), NullLocator(), plots.percent_text
    bar.update_ticks()
    return figure


def _cells(ax: Axes, table: pd.DataFrame, roles_of: Mapping[str, str]) -> None:
    """Name rows and columns; frame the columns of layers with a role, whose names are bold."""
    ax.set_yticks(range(len(table)), table.index)
    ax.set_xticks(
        range(len(table.columns)), [name.removesuffix(".weight") for name in table.columns], rotation=90, fontsize=7.5
    )
    ax.grid(visible=False)
    for index, (label, layer) in enumerate(zip(ax.get_xticklabels(), table.columns, strict=True)):
        if roles_of[layer] != OTHERS:
            label.set_fontweight("bold")
            frame = {"fill": False, "edgecolor": PALETTE["searched"], "linewidth": 1.3, "clip_on": False}
            ax.add_patch(Rectangle((index - 0.5, -0.5), 1, len(table), **frame))


def _write(ax: Axes, table: pd.DataFrame, shade: LogNorm) -> None:
    for (row, column), density in np.ndenumerate(table.to_numpy()):
        if np.isnan(density):
            text, colour = "–", "#555555"
        else:
            text, colour = f"{100 * density:.2g}" if density < 0.995 else "100", "w" if shade(density) < 0.55 else "k"
        ax.text(column, row, text, ha="center", va="center", fontsize=6.5, color=colour)


@styled
def density_of_roles(layers: pd.DataFrame) -> Figure:
    """Draw the density of first layer, shortcuts and classifier against sparsity, a line per rule, on log axes.

    Args:
        layers: as `frames.layers` returns them, an arm a rule. Where counts come of scores, lines are means over
            runs with 95 % t intervals; the dashed black line is the density of the whole network.
    """
    plots.need(layers, "sparsity", "replicate", "role", "kept", "size", "asked")
    parts = roles(layers)
    names = [name for name in ROLES if name != OTHERS and name in set(parts["role"])]
    figure, axes = plots.panels([name.capitalize() for name in names], columns=3, width=3.2, sharey=True)
    whole = layers.groupby("sparsity")["asked"].first()
    for ax, name in zip(axes, names, strict=True):
        own = parts[parts["role"] == name]
        ax.plot(whole.index, whole, color=PALETTE["dense"], linestyle=":", label="whole network", zorder=1)
        for rule in rules_of(own["arm"]):
            marks.rule_line(ax, own[own["arm"] == rule], "density", rule, {"label": rule})
        plots.sparsity_axis(ax, own["sparsity"])
        ax.set_yscale("log")
        ax.set_ylim(0.7 * min(parts.loc[parts["role"] != OTHERS, "density"].min(), whole.min()), 1.15)
        ax.yaxis.set_minor_formatter("")
        plots.percent(ax, "Weights kept" if ax is axes[0] else "")
        ax.set_xlabel("Sparsity (% of weights)")
    plots.legend(figure)
    return figure
