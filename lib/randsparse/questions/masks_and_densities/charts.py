"""The charts of notebook 01: what a mask looks like, and how density is spread over layers, with their captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from randsparse.comparison import plots
from randsparse.comparison.marks import RULE_COLOURS, draw_rule_line, rule_look
from randsparse.comparison.plots import PALETTE, Drawn, use_style
from randsparse.comparison.wording import count, number
from randsparse.questions.masks_and_densities import survey
from randsparse.questions.masks_and_densities.evidence import Evidence


@use_style
def layer_densities(frame: pd.DataFrame) -> Figure:
    """Draw the density of each layer for each rule, layers in the order of depth (their order in the frame).

    Args:
        frame: columns rule, layer, density and sparsity, a panel each.
    """
    sparsities = list(frame["sparsity"].unique())
    titles = [f"{plots.percent_text(each)} % of weights removed" for each in sparsities]
    layers = list(dict.fromkeys(frame["layer"]))
    width = max(3.1, 1 + 0.2 * len(layers))
    figure, axes = plots.make_panels(titles, columns=max(1, int(9.5 // width)), width=width, height=3.8, sharey=True)
    for ax, sparsity in zip(axes, sparsities, strict=True):
        own = frame[frame["sparsity"] == sparsity]
        for rule in plots.order_values(own["rule"], RULE_COLOURS):
            rows = own[own["rule"] == rule]
            size = {"markersize": 7 - 0.5 * list(RULE_COLOURS).index(rule)}  # where two agree, the first shows around
            ax.plot(rows["layer"].map(layers.index), rows["density"], label=rule, **rule_look(rule) | size)
        ax.set_xticks(range(len(layers)), [layer.removesuffix(".weight") for layer in layers], rotation=90, fontsize=7)
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(plots.percent_text)
        ax.yaxis.set_minor_formatter("")
        ax.set_xlabel("Layer, from input to classes")
        if ax.get_subplotspec().is_first_col():
            ax.set_ylabel("Weights kept (%; log scale)")
    plots.draw_legend(figure)
    return figure


@use_style
def mask_picture(masks: Mapping[str, Any]) -> Figure:
    """Draw masks of single layers, kept weights dark: output channels down, input channels across.

    Args:
        masks: by title, each a bool tensor (out, in) or (out, in, height, width). A convolution shows each of its
            kernels as a tile of height by width.
    """
    columns = min(4, len(masks))
    size = {"width": max(2.5, 5 - columns), "height": max(2.8, 4.3 - columns / 2)}
    figure, axes = plots.make_panels(list(masks), columns=columns, **size)
    for ax, mask in zip(axes, masks.values(), strict=True):
        kept = np.asarray(mask).astype(bool)
        tile = kept.shape[2:] or (1, 1)
        outputs, inputs = kept.shape[:2]
        flat = kept.reshape(outputs, inputs, *tile).transpose(0, 2, 1, 3).reshape(outputs * tile[0], -1)
        ax.imshow(flat, cmap="Greys", vmin=0, vmax=1, interpolation="nearest", extent=(0, inputs, outputs, 0))
        ax.grid(visible=False)
        ax.spines[["top", "right"]].set_visible(True)
        ax.set_title(f"{ax.get_title()}\n{plots.percent_text(round(float(kept.mean()), 4))} % kept")
        ax.set(xlabel="Input channel", ylabel="Output channel")
        for axis in (ax.xaxis, ax.yaxis):
            axis.get_major_locator().set_params(integer=True)
    return figure


@use_style
def asked_vs_realised(frame: pd.DataFrame) -> Figure:
    """Draw realised against asked density for each rule, a panel per network; on the diagonal they agree.

    Args:
        frame: columns rule, allocator ("exact", "clipped"), asked and realised (densities), and model. Exact allocation
            is hollow, clipped filled.
    """
    names = list(dict.fromkeys(frame["model"]))
    hollow = {"markerfacecolor": "none", "linestyle": "none", "markersize": 7}
    ticks, ends = np.linspace(0, 1, 6), (-0.03, 1.03)
    size = {"width": max(2.4, 4.2 - 0.5 * len(names)), "height": 2.8}
    figure, axes = plots.make_panels(names, columns=4, **size, sharex=True, sharey=True)
    for ax, name in zip(axes, names, strict=True):
        ax.axline((0, 0), slope=1, color=PALETTE["dense"], linewidth=0.8, linestyle="--", label="realised = requested")
        own = frame[frame["model"] == name]
        for allocator, look in (("exact", hollow), ("clipped", {})):
            chosen = own[own["allocator"] == allocator]
            for rule in plots.order_values(chosen["rule"], RULE_COLOURS):
                rows = chosen[chosen["rule"] == rule].sort_values("asked")
                ax.plot(rows["asked"], rows["realised"], label=f"{rule}, {allocator}", **rule_look(rule) | look)
        ax.set(aspect="equal", xlim=ends, ylim=ends, xticks=ticks, yticks=ticks, xlabel="Requested density (%)")
        plots.label_percent(ax, "Realised density")
        ax.xaxis.set_major_formatter(plots.percent_text)
        ax.label_outer()
    plots.draw_legend(figure)
    return figure


@use_style
def effective_vs_asked(frame: pd.DataFrame) -> Figure:
    """Draw the share of kept weights that lie on a path from input to output, against sparsity, for each rule.

    Args:
        frame: columns rule, sparsity, share, and panel, which tells panels apart (kinds of draw). Several rows of a
            rule and sparsity are draws, whose mean and 95 % t interval are shown. Where no row of a rule has a value,
            it cannot reach that sparsity: a cross.

    At 100 % every kept weight is used; at 0 % the network is cut.
    """
    counts = frame.groupby(["rule", "panel", "sparsity"])["share"].count()
    names = list(dict.fromkeys(frame["panel"]))
    figure, axes = plots.make_panels(names, sharey=True)
    for ax, name in zip(axes, names, strict=True):
        own = frame[frame["panel"] == name]
        for rule in plots.order_values(own["rule"], RULE_COLOURS):
            found = counts[rule][counts[rule] > 0]
            label = f"{rule} ({plots.count_text(found)})" if len(found) else rule
            draw_rule_line(ax, own[own["rule"] == rule], "share", rule, {"label": label})
        plots.space_sparsities(ax, own["sparsity"])
        ax.set_ylim(-0.1, 1.05)
        _crosses(ax, own)
    plots.label_percent(axes[0], "Effective / realised density")
    plots.draw_legend(figure)
    return figure


def _crosses(ax: Axes, frame: pd.DataFrame) -> None:
    """Mark at the bottom of the panel which sparsities a rule cannot reach, rules beside each other."""
    counts = frame.groupby(["rule", "sparsity"])["share"].count()
    missing = counts[counts == 0].index
    rules = plots.order_values(missing.get_level_values("rule"), RULE_COLOURS)
    for rule, sparsity in missing:
        aside = 0.16 * (rules.index(rule) - (len(rules) - 1) / 2)
        ax.plot(plots.from_axis(plots.to_axis(sparsity) + aside), -0.06, "x", color=RULE_COLOURS[rule], clip_on=False)
    if len(missing):
        ax.plot([], [], "x", color="#555555", label="cannot be reached")


def draw_masks(found: Evidence) -> Drawn:
    """Draw one mask of a layer for each way to draw it."""
    spread = (found.draws["kept"] / found.draws["size"]).groupby(found.draws["kind"]).std()
    inputs = found.draws.groupby("kind").agg({"fewest": "min", "most": "max"})
    fewest, most = inputs["fewest"], inputs["most"]
    caption = (
        f"One mask of `{found.parameters['layer']}` for each of {len(found.pictures)} ways to draw it; kept weights "
        f"are dark, each kernel is a tile. Over {found.parameters['seeds']} seeds the density of this layer has a "
        f"standard deviation of {number(100 * spread['exact'])} points drawn exactly and "
        f"{number(100 * spread['bernoulli'])} drawn by Bernoulli. An output has "
        f"{fewest['exact']} to {most['exact']} inputs drawn exactly, and {most['fan_in']} "
        f"with fixed fan-in."
    )
    return Drawn(mask_picture(found.pictures), caption, survey.positions(found.pictures))


def draw_layers(found: Evidence) -> Drawn:
    """Draw the density of each layer under each rule."""
    ends = found.layers.groupby(["rule", "sparsity"])["density"].agg(["min", "max"])
    rule, at = (ends["max"] / ends["min"]).idxmax()
    caption = (
        f"Density of each of the {len(found.shapes)} layers of {found.parameters['model']} under "
        f"{found.layers['rule'].nunique()} rules; nothing is random here. They are furthest apart under {rule} at "
        f"{100 * at:.4g} % sparsity, from {number(100 * ends['min'][rule, at])} to "
        f"{number(100 * ends['max'][rule, at])} %."
    )
    return Drawn(layer_densities(found.layers), caption, found.layers)


def draw_allocation(found: Evidence) -> Drawn:
    """Draw realised against requested density, allocated exactly and clipped."""
    whole = found.allocated
    exact, clipped = (whole[whole["allocator"] == name] for name in ("exact", "clipped"))
    worst = clipped.loc[clipped["shortfall"].idxmax()]
    asked = sorted(whole["asked"].unique())
    few = whole["asked"].isin(asked[:: max(1, len(asked) // 10)])
    shown = whole[whole["rule"].isin(survey.CLIPPING) & few]
    caption = (
        f"Realised against requested density of whole networks, allocated exactly (hollow) and clipped at 1 (filled); "
        f"nothing is random here. Clipping loses most with {worst['rule']} on {worst['model']}: requested "
        f"{number(100 * worst['asked'], 1)} %, realised {number(100 * worst['realised'], 1)} %. Over "
        f"{exact['kept'].count()} exact allocations, the largest error is {exact['error'].abs().max():g} weights."
    )
    return Drawn(asked_vs_realised(shown), caption, shown)


def draw_paths(found: Evidence) -> Drawn:
    """Draw the share of kept weights on a path, of exact masks."""
    shown = found.paths[found.paths["draw"] == found.parameters["kinds"][0]]
    last = max(found.parameters["sparsities"])
    left = shown[shown["sparsity"] == last].dropna(subset=["share"]).groupby("rule")["share"].mean()
    caption = (
        f"Share of the kept weights of {found.parameters['model']} that lie on a path from input to classes: mean and "
        f"95 % interval, cut at 0 and 100 % (n = {count([found.parameters['seeds']])} masks at each point). At "
        f"{100 * last:.4g} % sparsity it is {number(100 * left.min(), 1)} to {number(100 * left.max(), 1)} %, "
        f"depending on the rule. Crosses: sparsities that a rule cannot reach."
    )
    return Drawn(effective_vs_asked(shown), caption, shown)
