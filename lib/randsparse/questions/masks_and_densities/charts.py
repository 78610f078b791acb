"""The charts of masks and densities: what a mask looks like, and how density is spread over layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from randsparse.comparison import plots
from randsparse.comparison.marks import RULE_COLOURS, rule_line, rule_look
from randsparse.comparison.plots import PALETTE, styled
from randsparse.errors import StudyError


@styled
def layer_densities(frame: pd.DataFrame) -> Figure:
    """Draw the density of each layer for each rule, layers in the order of depth (their order in the frame).

    Args:
        frame: columns rule, layer and density, and sparsity where there is a panel each.
    """
    plots.need(frame, "rule", "layer", "density")
    frame = frame if "sparsity" in frame else frame.assign(sparsity=np.nan)
    sparsities = list(frame["sparsity"].unique())
    titles = [
        "Density of each layer" if np.isnan(each) else f"{plots.percent_text(each)} % of weights removed"
        for each in sparsities
    ]
    layers = list(dict.fromkeys(frame["layer"]))
    width = max(3.1, 1 + 0.2 * len(layers))
    figure, axes = plots.panels(titles, columns=max(1, int(9.5 // width)), width=width, height=3.8, sharey=True)
    for ax, sparsity in zip(axes, sparsities, strict=True):
        own = frame[frame["sparsity"].eq(sparsity) | frame["sparsity"].isna()]
        for rule in plots.ordered(own["rule"], RULE_COLOURS):
            rows = own[own["rule"] == rule]
            size = {"markersize": 7 - 0.5 * list(RULE_COLOURS).index(rule)}  # where two agree, the first shows around
            look = rule_look(rule) | size
            ax.plot([layers.index(layer) for layer in rows["layer"]], rows["density"], label=rule, **look)
        ax.set_xticks(range(len(layers)), [layer.removesuffix(".weight") for layer in layers], rotation=90, fontsize=7)
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(plots.percent_text)
        ax.yaxis.set_minor_formatter("")
        ax.set_ylabel("Weights kept (%; log scale)")
        ax.set_xlabel("Layer, from input to classes")
        if not ax.get_subplotspec().is_first_col():
            ax.set_ylabel("")
    plots.legend(figure)
    return figure


@styled
def mask_picture(masks: Mapping[str, Any] | Any) -> Figure:
    """Draw masks of single layers, kept weights dark: output channels down, input channels across.

    Args:
        masks: a bool tensor (out, in) or (out, in, height, width), or several by title. A convolution shows each of
            its kernels as a tile of height by width.
    """
    masks = masks if isinstance(masks, Mapping) else {"": masks}
    titles = [title or "Mask of one layer" for title in masks]
    columns = min(4, len(titles))
    size = {"width": max(2.5, 5 - columns), "height": max(2.8, 4.3 - columns / 2)}
    figure, axes = plots.panels(titles, columns=columns, **size)
    for ax, mask in zip(axes, masks.values(), strict=True):
        kept = np.asarray(mask).astype(bool)
        if kept.ndim not in (2, 4):
            raise StudyError(f"mask of shape {kept.shape}: give one of (out, in) or (out, in, height, width)")
        tile = kept.shape[2:] or (1, 1)
        outputs, inputs = kept.shape[:2]
        flat = kept.reshape(outputs, inputs, *tile).transpose(0, 2, 1, 3).reshape(outputs * tile[0], -1)
        ax.imshow(flat, cmap="Greys", vmin=0, vmax=1, interpolation="nearest", extent=(0, inputs, outputs, 0))
        ax.grid(visible=False)
        ax.spines[["top", "right"]].set_visible(True)
        ax.set_title(f"{ax.get_title()}\n{plots.percent_text(round(float(kept.mean()), 4))} % kept")
        ax.set_xlabel("Input channel")
        ax.set_ylabel("Output channel")
        for axis in (ax.xaxis, ax.yaxis):
            axis.get_major_locator().set_params(integer=True)
    return figure


@styled
def asked_vs_realised(frame: pd.DataFrame) -> Figure:
    """Draw realised against asked density for each rule, a panel per network; on the diagonal they agree.

    Args:
        frame: columns rule, allocator ("exact", "clipped"), asked and realised (densities), and model where there are
            several. Exact allocation is hollow, clipped filled.
    """
    plots.need(frame, "rule", "allocator", "asked", "realised")
    frame = frame if "model" in frame else frame.assign(model="Density of all layers together")
    names = list(dict.fromkeys(frame["model"]))
    hollow = {"markerfacecolor": "none", "linestyle": "none", "markersize": 7}
    size = {"width": max(2.4, 4.2 - 0.5 * len(names)), "height": 2.8}
    figure, axes = plots.panels(names, columns=4, **size, sharex=True, sharey=True)
    for ax, name in zip(axes, names, strict=True):
        ax.axline((0, 0), slope=1, color=PALETTE["dense"], linewidth=0.8, linestyle="--", label="realised = requested")
        own = frame[frame["model"] == name]
        for allocator, look in (("exact", hollow), ("clipped", {})):
            chosen = own[own["allocator"] == allocator]
            for rule in plots.ordered(chosen["rule"], RULE_COLOURS):
                rows = chosen[chosen["rule"] == rule].sort_values("asked")
                ax.plot(rows["asked"], rows["realised"], label=f"{rule}, {allocator}", **rule_look(rule) | look)
        _density_axes(ax)
    plots.legend(figure)
    return figure


def _density_axes(ax: Axes) -> None:
    ax.set(aspect="equal", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    ticks = np.linspace(0, 1, 6)
    ax.set_xticks(ticks)
    ax.set_yticks(ticks)
    plots.percent(ax, "Realised density")
    ax.xaxis.set_major_formatter(plots.percent_text)
    ax.set_xlabel("Requested density (%)")
    ax.label_outer()


@styled
def effective_vs_asked(frame: pd.DataFrame) -> Figure:
    """Draw the share of kept weights that lie on a path from input to output, against sparsity, for each rule.

    Args:
        frame: columns rule, asked and effective (densities), and realised where it is not as asked; several rows of a
            rule and density are draws, whose mean and 95 % t interval are shown. A column panel tells panels apart
            (models, kinds of draw). Where no row of a rule has a value, it cannot reach that sparsity: a cross.

    At 100 % every kept weight is used; at 0 % the network is cut.
    """
    plots.need(frame, "rule", "asked", "effective")
    kept = frame["realised"] if "realised" in frame else frame["asked"]
    return _rules_vs_sparsity(
        frame.assign(share=frame["effective"] / kept.where(kept > 0, 1)),
        "share",
        "Weights on a path from input to output",
        "Effective / realised density",
    )


def _rules_vs_sparsity(frame: pd.DataFrame, y: str, title: str, axis: str) -> Figure:
    frame = frame.assign(sparsity=(1 - frame["asked"]).round(12))
    frame = frame if "panel" in frame else frame.assign(panel=title)
    counts = frame.groupby(["rule", "panel", "sparsity"])[y].count()
    names = list(dict.fromkeys(frame["panel"]))
    figure, axes = plots.panels(names, sharey=True)
    for ax, name in zip(axes, names, strict=True):
        own = frame[frame["panel"] == name]
        for rule in plots.ordered(own["rule"], RULE_COLOURS):
            found = counts[rule][counts[rule] > 0]
            label = f"{rule} ({plots.count_text(found)})" if len(found) else rule
            rule_line(ax, own[own["rule"] == rule], y, rule, {"label": label})
        plots.sparsity_axis(ax, own["sparsity"])
        ax.set_ylim(-0.1, 1.05)
        _crosses(ax, own, y)
    plots.percent(axes[0], axis)
    plots.legend(figure)
    return figure


def _crosses(ax: Axes, frame: pd.DataFrame, y: str) -> None:
    """Mark at the bottom of the panel which sparsities a rule cannot reach, rules beside each other."""
    counts = frame.groupby(["rule", "sparsity"])[y].count()
    missing = counts[counts == 0].index
    rules = plots.ordered(missing.get_level_values("rule"), RULE_COLOURS)
    for rule, sparsity in missing:
        aside = 0.16 * (rules.index(rule) - (len(rules) - 1) / 2)
        ax.plot(plots.from_axis(plots.to_axis(sparsity) + aside), -0.06, "x", color=RULE_COLOURS[rule], clip_on=False)
    if len(missing):
        ax.plot([], [], "x", color="#555555", label="cannot be reached")
