"""The charts of notebook 05: what each rule keeps of each layer, and the differences that the claims are about."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullLocator

from randsparse.comparison import plots
from randsparse.comparison.forests import draw_forest, draw_levels, draw_nothing
from randsparse.comparison.frames import OTHERS
from randsparse.comparison.plots import PALETTE, Drawn, use_style
from randsparse.comparison.primary import find_claims
from randsparse.questions.layerwise_density.evidence import (
    MASKS_AT,
    PLAIN,
    RULES_AT,
    SCORE,
    SHUFFLED,
    Layerwise,
    mask_row,
    name_rule_row,
)

WRITTEN = 14
"""The most layers whose densities are written into their cells."""


def draw_rule_accuracies(found: Layerwise) -> Drawn:
    """Draw the test accuracy of each rule beside that of the dense networks."""
    what = "Test accuracy of random masks that spread one density over the layers by different rules."
    return draw_levels(found.rule_levels, found.results, what, found.dense_level)


def draw_rule_differences(found: Layerwise) -> Drawn:
    """Draw ERK minus each other rule, with the primary claim about uniform density at 98 %."""
    claim = find_claims("05")[0]
    what = "Test accuracy of ERK minus that of another rule at the same density of the whole network."
    decisive = {name_rule_row(PLAIN, RULES_AT): found.rule_claim}
    return draw_forest(found.rule_forest, what, "ERK − other rule, test accuracy", claim, decisive)


def draw_mask_accuracies(found: Layerwise) -> Drawn:
    """Draw the test accuracy of score masks and of their versions."""
    what = "Test accuracy of masks of the highest scores and of what is left of them."
    return draw_levels(found.mask_levels, found.results, what, found.dense_level)


def draw_mask_differences(found: Layerwise) -> Drawn:
    """Draw score masks minus their versions, with the primary claim about the shuffle of SNIP at 90 %."""
    claim = find_claims("05")[1]
    what = (
        "Test accuracy of a mask of the highest scores minus that of the random mask with as many weights in each "
        "layer (*shuffled*), and minus that of a mask that was scored on other initial weights than those that are "
        "trained (*other weights*)."
    )
    decisive = {mask_row(SCORE, MASKS_AT, SHUFFLED): found.mask_claim}
    return draw_forest(found.mask_forest, what, "score mask − version, test accuracy", claim, decisive)


@use_style
def draw_layer_densities(layers: pd.DataFrame) -> Drawn:
    """Draw the mean density of each layer under each rule as a shaded cell, a panel per sparsity.

    Args:
        layers: as `frames.layers` returns them, an arm a rule. First layer, shortcuts and classifier are framed.
    """
    if layers.empty:
        return draw_nothing(layers)
    means = layers.groupby(["sparsity", "arm", "layer"], sort=False)["density"].mean()
    roles_of = dict(zip(layers["layer"], layers["role"], strict=True))
    sparsities, rules = sorted(layers["sparsity"].unique()), list(dict.fromkeys(layers["arm"]))
    size = {"width": max(7.6, 1.2 + 0.36 * len(roles_of)), "height": 1.45 + 0.21 * len(rules)}
    titles = [f"{plots.percent_text(sparsity)} % sparsity" for sparsity in sparsities]
    figure, axes = plots.make_panels(titles, columns=1, **size)
    shade = LogNorm(min(0.5, max(means.min(), 1e-4)), 1)
    for ax, sparsity in zip(axes, sparsities, strict=True):
        own = means[sparsity].unstack()
        table = own.reindex(index=[rule for rule in rules if rule in own.index], columns=list(roles_of))
        image = ax.imshow(table, cmap="cividis", norm=shade, aspect="auto")
        _cells(ax, table, roles_of)
        if len(roles_of) <= WRITTEN:
            _write(ax, table, shade)
    for ax in axes[:-1]:
        ax.set_xticklabels([])
    bar = figure.colorbar(image, ax=axes, aspect=30, pad=0.01, label="Weights kept (%; log scale)")
    bar.locator, bar.minorlocator, bar.formatter = LogLocator(), NullLocator(), plots.percent_text
    bar.update_ticks()
    return Drawn(figure, _layers_caption(layers, means), means.reset_index())


def _layers_caption(layers: pd.DataFrame, means: pd.Series) -> str:
    runs = layers.groupby(["sparsity", "arm"])["replicate"].nunique()
    thinnest = means.idxmin()
    return (
        f"Share of its weights that each layer keeps (%), from the records of trained networks: means over "
        f"{plots.count_text(runs)} runs. Layers from input to classes; first layer, shortcuts and classifier are "
        f"framed. The sparsest is `{thinnest[2]}` under {thinnest[1]} at {plots.percent_text(thinnest[0])} % sparsity, "
        f"with {100 * means.min():.2g} %; {int((means == 1).sum())} of {len(means)} entries are dense."
    )


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
