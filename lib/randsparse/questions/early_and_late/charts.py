"""The charts of notebook 10: correlations by epoch, where the spread comes from, and gains as predicted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from randsparse.comparison import marks, plots
from randsparse.comparison.plots import Drawn, use_style
from randsparse.comparison.wording import number
from randsparse.errors import StudyError
from randsparse.questions.early_and_late.frames import POOLED, find_epoch
from randsparse.questions.early_and_late.plan import EARLY, LATE
from randsparse.questions.early_and_late.words import format_interval, format_networks, format_percent, format_points

KINDS = {"pearson": "Pearson's r", "spearman": "Spearman's ρ"}
BLACK, CEILING, RATE = "#000000", "#CC79A7", "#999999"
SHARES = {"network": "#D55E00", "order": "#E69F00", "residual": "#8C8C8C"}
SOURCE_NAMES = {"network": "network", "order": "order of batches", "residual": "interaction and noise"}
MOMENTS = {"early": "At the early look: validation accuracy", "late": "At the end: test accuracy"}
PLAIN, AVERAGED = "network as trained", "moving average of its weights"
COOLED = "#0072B2"
LOOKS = {PLAIN: "#000000", AVERAGED: "#D55E00"}


@use_style
def correlation_by_epoch(rows: pd.DataFrame, curves: pd.DataFrame, ceilings: pd.DataFrame) -> Drawn:
    """Draw the correlation of validation accuracy after each epoch with final test accuracy, within cells and orders.

    Args:
        rows: as from `frames.correlations`.
        curves: as from `candidates.curves`, for the learning rate.
        ceilings: as from `variance.mean_ceilings`.
    """
    pooled = _known(rows[rows["cell"] == POOLED])
    figure, axes = plots.make_panels(list(KINDS.values()), sharey=True)
    cells = [cell for cell in rows["cell"].unique() if cell != POOLED]
    colours = marks.model_colours(cells)
    rate = (curves["lr"] / curves.groupby("cell")["lr"].transform("max")).groupby(curves["epoch"]).mean()
    limit = ceilings.dropna(subset=["epoch"])
    for ax, kind in zip(axes, KINDS, strict=True):
        ax.axhline(0, color=marks.GREY, linewidth=0.8)
        for cell in cells if len(cells) > 1 else ():
            own = rows[(rows["cell"] == cell) & (rows["kind"] == kind)]
            ax.plot(own["epoch"], own["value"], color=colours[cell], linewidth=0.8, alpha=0.8, label=cell)
        line_with_band(ax, pooled[pooled["kind"] == kind], BLACK, POOLED if len(cells) > 1 else cells[0])
        ax.plot(limit["epoch"], limit["ceiling"], color=CEILING, linestyle="--", label="ceiling of image noise")
        ax.plot(rate.index, rate, color=RATE, linewidth=1.2, linestyle=":", label="learning rate / its peak")
        epochs_axis(ax, ylim=(-1.02, 1.05))
    axes[0].set_ylabel("Correlation with final test accuracy")
    plots.draw_legend(figure)
    return Drawn(figure, _correlation_caption(pooled, cells, limit), rows)


def _correlation_caption(pooled: pd.DataFrame, cells: list[str], limit: pd.DataFrame) -> str:
    own = pooled[pooled["kind"] == "pearson"].set_index("epoch")
    early, late, epochs = find_epoch(pooled, EARLY), find_epoch(pooled, LATE), int(own.index.max())
    told = [f"r = {format_interval(own.loc[epoch])} after epoch {epoch}" for epoch in (early, late, epochs)]
    ceiling = limit.set_index("epoch")["ceiling"].get(early, np.nan)
    return (
        "Validation accuracy after each epoch against test accuracy at the end, compared within a cell and an order of "
        f"batches: {', '.join(told)} of {epochs} ({format_networks(int(own['n'].max()), len(cells))}). "
        "Black with band: all cells, with the 95 % interval of a jackknife over networks. Dashed: the largest "
        f"correlation that the choice of images allows, {number(ceiling)} after epoch {early}."
    )


@use_style
def spread_by_epoch(reliable: pd.DataFrame, means: pd.DataFrame, shares: pd.DataFrame) -> Drawn:
    """Draw how far runs of one order lie apart by epoch, and the shares of network and order in the variance.

    Args:
        reliable: as from `variance.reliabilities`, and `means` as from `variance.mean_ceilings`.
        shares: as from `variance.shares`; without a row, the second panel is left out.
    """
    during, at_end = means.dropna(subset=["epoch"]), means[means["epoch"].isna()]
    if during.empty:
        raise StudyError("there is nothing to draw: no record says which validation images are right")
    by_epoch = shares.dropna(subset=["epoch"])
    titles = ["Spread between networks of an order", *(["Shares of the variance"] if len(by_epoch) else [])]
    figure, axes = plots.make_panels(titles)
    cells = list(reliable["cell"].unique())
    colours = marks.model_colours(cells)
    for cell in cells if len(cells) > 1 else ():
        own = reliable[(reliable["cell"] == cell) & reliable["epoch"].notna() & (reliable["spread"] > 0)]
        axes[0].plot(own["epoch"], 100 * own["spread"], color=colours[cell], linewidth=0.8, alpha=0.8, label=cell)
    axes[0].plot(during["epoch"], 100 * during["spread"], color=BLACK, label="mean" if len(cells) > 1 else cells[0])
    noise = 100 * during["sampling"]
    axes[0].plot(during["epoch"], noise, color=CEILING, linestyle="--", label="noise of the choice of images")
    axes[0].set(yscale="log", ylabel="Standard deviation of validation\naccuracy (percentage points)")
    axes[0].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    for ax in axes:
        epochs_axis(ax)
    if len(axes) > 1:
        for source, colour in SHARES.items():
            line_with_band(axes[1], by_epoch[by_epoch["source"] == source], colour, SOURCE_NAMES[source])
        axes[1].set_ylim(-0.02, 1.02)
        plots.label_percent(axes[1], "Share of the variance")
    plots.draw_legend(figure)
    text = _spread_caption(during, at_end, shares)
    return Drawn(figure, text, reliable if shares.empty else pd.concat([reliable, shares], ignore_index=True))


def _spread_caption(during: pd.DataFrame, at_end: pd.DataFrame, shares: pd.DataFrame) -> str:
    own = during.set_index("epoch")
    first, last = own.index.min(), own.index.max()
    text = (
        f"Left: between networks of one order, validation accuracy has a standard deviation of "
        f"{number(100 * own.loc[first, 'spread'])} points after epoch {first:g} and of "
        f"{number(100 * own.loc[last, 'spread'])} after epoch {last:g}; the choice of images alone gives "
        f"{number(100 * own.loc[first, 'sampling'])} and {number(100 * own.loc[last, 'sampling'])} "
        f"(final test accuracy: {number(100 * at_end['spread'].mean())}, {number(100 * at_end['sampling'].mean())}). "
    )
    if shares.empty:
        return text + "Shares of network and order need three networks in the same two orders; no cell has them yet."
    table = shares.set_index(["source", "epoch"]).sort_index()
    parts = [
        f"{name} {format_percent(table.loc[(source, first), 'value'])} and "
        f"{format_percent(table.loc[(source, last), 'value'])}"
        for source, name in SOURCE_NAMES.items()
    ]
    n = shares.iloc[-1]
    return text + (
        f"Right: shares of {', '.join(parts)} after the same two epochs, "
        f"{format_networks(n['networks'], n['cells'])}; bands "
        "are 95 % limits of a bootstrap over networks and orders."
    )


@use_style
def gains(rows: pd.DataFrame) -> Drawn:
    """Draw what searches among K candidates gain, measured and predicted from the spreads and r alone.

    Args:
        rows: as from `frames.gains`, of searches that pick after the share EARLY of training.
    """
    known = rows.dropna(subset=["value"])
    if known.empty:
        raise StudyError("there is nothing to draw: no order of batches has enough finished runs")
    figure, axes = plots.make_panels(list(MOMENTS.values()))
    sizes = sorted(known["size"].unique())
    for ax, moment in zip(axes, MOMENTS, strict=True):
        ax.axhline(0, color=marks.GREY, linewidth=0.8)
        for at, size in enumerate(sizes):
            own = known[(known["moment"] == moment) & (known["size"] == size)].set_index("how")
            first = {"label": None} if at else {}
            _prediction(ax, at, own.loc["predicted"], **first)
            _measurement(ax, at, own.loc["measured"], **first)
            if "best possible" in own.index:
                best = 100 * own.loc["best possible", "value"]
                ax.plot([at], [best], "_", color="#009E73", markersize=16, **{"label": "best candidate"} | first)
        ends = 100 * known.loc[known["moment"] == moment, ["value", "low", "high"]].to_numpy()
        low, high = min(0, np.nanmin(ends)), max(0, np.nanmax(ends))
        ax.set_xticks(range(len(sizes)), [str(size) for size in sizes])
        ylim = (low - 0.06 * (high - low), high + 0.06 * (high - low))
        ax.set(xlabel="Candidates of the search, K", xlim=(-0.6, len(sizes) - 0.4), ylim=ylim)
        ax.grid(axis="x", visible=False)
    axes[0].set_ylabel("Winner − mean of all candidates\n(percentage points)")
    plots.draw_legend(figure)
    return Drawn(figure, _gains_caption(known), rows)


def _prediction(ax: Axes, at: float, row: Mapping[str, float], **changes: Any) -> None:
    """Draw a predicted gain as a short line, and its interval as a box behind it."""
    ends = [at - 0.3, at + 0.3]
    ax.fill_between(ends, 100 * row["low"], 100 * row["high"], color="#8C8C8C", alpha=0.3, linewidth=0)
    ax.plot(ends, [100 * row["value"]] * 2, color="#555555", **{"label": "predicted, no free parameter"} | changes)


def _measurement(ax: Axes, at: float, row: Mapping[str, float], **changes: Any) -> None:
    """Draw a measured gain with its interval, where it has one."""
    bars = [[100 * (row["value"] - row["low"])], [100 * (row["high"] - row["value"])]]
    look = {"color": plots.PALETTE["searched"], "marker": plots.MARKERS["searched"], "linestyle": "none"}
    if np.isnan(row["low"]):
        ax.plot([at], [100 * row["value"]], **look | {"markerfacecolor": "white"} | {"label": None})
    else:
        ax.errorbar([at], [100 * row["value"]], yerr=bars, **look | {"label": "measured"} | changes)


def _gains_caption(known: pd.DataFrame) -> str:
    table = known.set_index(["moment", "size", "how"]).sort_index()
    bounded = known[known["low"].notna() & (known["how"] == "measured")]
    size = int(bounded["size"].max())
    told = [
        f"{moment} {format_points(table.loc[(moment, size, 'measured')])} measured and "
        f"{format_points(table.loc[(moment, size, 'predicted')])} predicted"
        for moment in MOMENTS
    ]
    best = table["value"].get(("late", size, "best possible"), np.nan)
    text = (
        f"The winner of K candidates after {format_percent(EARLY)} of training, above the mean of all "
        "candidates, over all "
        f"subsets of K that share an order of batches. K = {size}, in points: {'; '.join(told)}; the best candidate "
        f"lies {number(100 * best)} above the mean at the end. Intervals are 95 % (jackknife over "
        f"{int(bounded['n'].max())} networks)."
    )
    if bounded["size"].max() < known["size"].max():
        text += f" Hollow: K = {known['size'].max()} is a whole order, one subset each, and has no interval."
    return text


@use_style
def averaged_by_epoch(plain: pd.DataFrame, averaged: pd.DataFrame, cooled: pd.DataFrame | None = None) -> Drawn:
    """Draw the correlation with final test accuracy of the network as trained, and of the average of its weights.

    Args:
        plain, averaged: as from `frames.correlations`, of val_accuracy and ema_val_accuracy.
        cooled: as from `cooling.correlations`, whose correlations are points at the end of the cool-down.
    """
    figure, axes = plots.make_panels(list(KINDS.values()), sharey=True)
    parts = {name: _known(rows[rows["cell"] == POOLED]) for name, rows in ((PLAIN, plain), (AVERAGED, averaged))}
    for ax, kind in zip(axes, KINDS, strict=True):
        ax.axhline(0, color=marks.GREY, linewidth=0.8)
        for name, rows in parts.items():
            line_with_band(ax, rows[rows["kind"] == kind], LOOKS[name], name)
        for row in () if cooled is None else cooled[cooled["kind"] == kind].itertuples():
            bars = [[row.value - row.low], [row.high - row.value]]
            look = {"color": COOLED, "marker": "D", "linestyle": "none", "label": "cooled down"}
            ax.errorbar([row.end], [row.value], yerr=bars, **look)
        epochs_axis(ax, ylim=(-1.02, 1.05))
    axes[0].set_ylabel("Correlation with final test accuracy")
    plots.draw_legend(figure)
    own = {name: rows[rows["kind"] == "pearson"].set_index("epoch") for name, rows in parts.items()}
    epochs = int(own[PLAIN].index.max())
    told = [
        f"r = {format_interval(own[PLAIN].loc[epoch])} and {format_interval(own[AVERAGED].loc[epoch])} "
        f"after epoch {epoch}"
        for epoch in (find_epoch(plain, share) for share in (EARLY, 0.5, LATE))
    ]
    text = (
        f"The same correlation for the network as trained and for the moving average of its weights: {', '.join(told)} "
        f"of {epochs}. Bands are 95 % intervals (jackknife over {int(own[PLAIN]['n'].max())} networks)."
    )
    parts = {name: rows.assign(look=name) for name, rows in parts.items()}
    if cooled is not None and len(cooled):
        for row in cooled[cooled["kind"] == "pearson"].to_dict("records"):
            text += (
                f" Diamond: the learning rate falls to zero after epoch {row['epoch']:g}, until epoch {row['end']:g}; "
                f"then r = {format_interval(row)}, where it was {number(row['before'])} "
                f"({format_networks(row['n'], row['cells'])})."
            )
        parts["cooled"] = cooled.assign(look="cooled down")
    return Drawn(figure, text, pd.concat(parts.values(), ignore_index=True))


def line_with_band(ax: Axes, rows: pd.DataFrame, colour: str, label: str) -> None:
    """Draw a line of `value` over `epoch`, and the interval from low to high as a band."""
    ax.plot(rows["epoch"], rows["value"], color=colour, label=label, linewidth=1.6)
    ax.fill_between(rows["epoch"], rows["low"], rows["high"], color=colour, alpha=0.15, linewidth=0)


def epochs_axis(ax: Axes, **others: Any) -> None:
    """Label an axis of epochs, with whole numbers; `others` are properties of the panel."""
    ax.set(xlabel="Epoch", **others)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _known(rows: pd.DataFrame) -> pd.DataFrame:
    if rows["value"].isna().all():
        raise StudyError("there is nothing to draw: no order of batches has four finished networks that differ")
    return rows
