"""Which sparsity is fast, as a chart: times as fast against times less work."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from randsparse.comparison import marks, plots
from randsparse.comparison.plots import Drawn, use_style
from randsparse.comparison.wording import number
from randsparse.questions.search_cost.speed import KERNEL, MASK, NODES, NOT_YET

LOOKS = {MASK: ("#000000", "o"), NODES: ("#0072B2", "s"), KERNEL: ("#D55E00", "^")}
"""Colour and marker of each way to have zeros."""
TICKS = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)


@use_style
def times_as_fast(rows: pd.DataFrame) -> Drawn | None:
    """Draw how many times as fast each sort of sparsity is, against how many times less work it has.

    None if none of them was measured yet.

    Args:
        rows: as from `speed.speeds`; batched programs, which leave no work out, are not drawn.
    """
    shown = rows[rows["way"].isin(list(LOOKS)) & rows["times_as_fast"].notna()]
    if shown.empty:
        return None
    figure, (ax,) = plots.make_panels([" "], width=8.8, height=3.6)
    ends = [1.0, max(shown["less_work"].max(), 4.0)]
    ax.plot(ends, ends, color=marks.GREY, linestyle="--", linewidth=0.8, label="as fast as the work is less")
    ax.axhline(1, color=marks.GREY, linewidth=0.8)
    for way, (colour, marker) in LOOKS.items():
        own = shown[shown["way"] == way]
        bars = np.stack([own["times_as_fast"] - own["low"], own["high"] - own["times_as_fast"]])
        if len(own):
            look = {"color": colour, "marker": marker, "linestyle": "none", "label": way}
            ax.errorbar(own["less_work"], own["times_as_fast"], yerr=bars, **look)
        for row in own.drop_duplicates(["sparsity"]).itertuples():
            look = {"textcoords": "offset points", "fontsize": 7, "color": colour}
            ax.annotate(f"{plots.percent_text(row.sparsity)} %", (row.less_work, row.times_as_fast), (5, -9), **look)
    _scales(ax, shown)
    plots.draw_legend(figure)
    return Drawn(figure, _caption(rows), rows)


def _scales(ax: Axes, shown: pd.DataFrame) -> None:
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(FixedLocator(TICKS))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    bottom = min(0.7, 0.85 * shown["low"].min())
    ax.set(xlabel="Times less work (FLOPs)", ylabel="Times as fast", ylim=(bottom, None))


def _caption(rows: pd.DataFrame) -> str:
    texts = []
    for way in LOOKS:
        own = rows[(rows["way"] == way) & rows["times_as_fast"].notna()]
        if own.empty:
            texts.append(f"{way}: {NOT_YET}")
            continue
        low, high = (own.loc[getattr(own["times_as_fast"], end)()] for end in ("idxmin", "idxmax"))
        texts.append(
            f"{way}: {number(low['times_as_fast'])} to {number(high['times_as_fast'])} times as fast with "
            f"{number(low['less_work'], 1)} and {number(high['less_work'], 1)} times less work"
        )
    return (
        "Steps of training against the same step without the zeros left out, measured in turn by `make bench` on one "
        "core, medians with quartiles; labels are sparsities (of weights; of nodes for a smaller network). "
        f"{'; '.join(texts)}."
    )
