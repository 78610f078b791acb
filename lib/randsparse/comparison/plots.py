"""One style, one colour per method, and what all charts of the study share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from randsparse.errors import StudyError, unknown

if TYPE_CHECKING:
    from IPython.display import Markdown

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 5,
    "errorbar.capsize": 2.5,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "svg.hashsalt": "randsparse",  # otherwise the ids in an SVG are new each time
    "svg.fonttype": "path",
}

PALETTE: dict[str, str] = {  # Okabe & Ito 2008: told apart by colour-blind readers
    "dense": "#000000",
    "random": "#0072B2",
    "searched": "#D55E00",
    "small dense (parent's scale)": "#009E73",
    "small dense (own scale)": "#CC79A7",
    "small dense (equal FLOPs)": "#E69F00",
    "candidate": "#8C8C8C",
    "set": "#44AA99",  # methods whose mask changes: Tol's muted colours
    "rigl": "#882255",
    "granet": "#CC6677",
    "gmp": "#332288",
    "imp": "#117733",
    "str": "#999933",
    "edge-popup": "#661100",
}
MARKERS: dict[str, str] = {
    "dense": "s",
    "random": "o",
    "searched": "^",
    "small dense (parent's scale)": "D",
    "small dense (own scale)": "v",
    "small dense (equal FLOPs)": "<",
    "candidate": ".",
    "set": "P",
    "rigl": "*",
    "granet": "X",
    "gmp": "p",
    "imp": "h",
    "str": ">",
    "edge-popup": "d",
}


def use_style(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function draw in the study's style, whatever style its caller has."""

    @functools.wraps(draw)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(STYLE)
            return draw(*args, **kwargs)

    return wrapper


class Drawn(NamedTuple):
    """A chart with its caption, which says what is shown and the numbers that matter, and the data that it shows."""

    figure: Figure
    caption: str
    data: pd.DataFrame


def caption(text: str) -> Markdown:
    """Return a figure's caption for a notebook to show; it says what the error bars are, and n."""
    from IPython.display import Markdown

    return Markdown(f"**Figure.** {text}")


def make_panels(
    titles: Sequence[str], columns: int = 2, width: float = 4.2, height: float = 3.3, **shared: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure with one panel a title, row by row, "" leaving a gap; `shared` goes to plt.subplots.

    pyplot forgets the figure at once: a notebook shows it where it is the value of a cell, and only there.
    """
    if not titles:
        raise StudyError("there is nothing to draw: the runs that this figure shows are missing")
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    size = (max(width * columns, 5.2), height * rows + 0.45)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, **shared)
    plt.close(figure)
    places = [*titles, *[""] * (axes.size - len(titles))]
    for ax, title in zip(axes.flat, places, strict=True):
        ax.set_title(title) if title else ax.remove()
    for above, below in zip(axes.flat, places[columns:], strict=False):
        if not below:  # nothing there has the ticks of a shared axis
            above.tick_params(axis="x", labelbottom=True)
    return figure, [ax for ax, title in zip(axes.flat, places, strict=True) if title]


def even_columns(panels: int, most: int = 3) -> int:
    """Return how many columns give rows that are as full as can be, as few rows as with `most`: 2 for 4 panels."""
    return -(-panels // -(-panels // most)) if panels else 1


def require_columns(frame: pd.DataFrame, *columns: str) -> None:
    """Raise StudyError unless the frame has rows and these columns."""
    for column in columns:
        if column not in frame.columns:
            raise unknown("column", column, frame.columns)
    if frame.empty:
        raise StudyError("there is nothing to draw: the runs that this figure shows are missing")


def order_values(values: Iterable[Any], order: Iterable[Any]) -> list[Any]:
    """Return the distinct values, those of `order` first and in that order."""
    order, present = list(order), sorted(set(values))
    return [each for each in order if each in present] + [each for each in present if each not in order]


def label_percent(ax: Axes, label: str) -> None:
    """Show fractions on the y axis as percent, with a label unless that is empty."""
    ax.yaxis.set_major_formatter(percent_text)
    ax.set_ylabel(label and f"{label} (%)")


def percent_text(fraction: float, _: int = 0) -> str:
    """Return a fraction in percent, without the sign: 0.999 is 99.9."""
    return f"{round(100 * fraction, 6):.4g}".replace("-", "−")


def to_axis(sparsity: Any) -> Any:
    """Return where a sparsity stands: linear in the logarithm of density, one unit for each halving of it."""
    return -np.log2(np.maximum(1 - np.asarray(sparsity, dtype=float), 1e-12))


def from_axis(position: Any) -> Any:
    """Return the sparsity that stands at `position`; the inverse of `to_axis`."""
    return 1 - np.exp2(-np.asarray(position, dtype=float))


def space_sparsities(ax: Axes, sparsities: Iterable[float]) -> None:
    """Space the x axis by the logarithm of density, so that 90, 95 and 98 % have room, with ticks in percent.

    A tick that would stand on the one before it is left out.
    """
    values = sorted(set(sparsities))
    ends = to_axis([values[0], values[-1]])
    span = max(float(ends[1] - ends[0]), 1)
    room = 0.06 * span
    ticks = values[:1]
    for value in values:
        if to_axis(value) - to_axis(ticks[-1]) > 0.04 * span:
            ticks.append(value)
    ax.set_xscale("function", functions=(to_axis, from_axis))
    ax.set_xlim(*from_axis([ends[0] - room, ends[1] + room]))
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(percent_text)
    ax.set_xlabel("Sparsity (% of weights; log-density axis)")


def count_text(counts: Iterable[int]) -> str:
    """Return "n = 3", or "n = 3–5" where groups differ in size."""
    low, high = min(counts := list(counts)), max(counts)
    return f"n = {low}" if low == high else f"n = {low}–{high}"


def draw_legend(figure: Figure) -> None:
    """Put one legend above all panels, an entry a label, in the order of first appearance."""
    entries: dict[str, Any] = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        names = list(entries)
        figure.legend(entries.values(), names, loc="outside upper center", ncols=_columns(names, figure))


def _columns(labels: list[str], figure: Figure) -> int:
    """Return how many columns of a legend fit the figure's width, at 0.068 inch a letter."""
    for columns in range(len(labels), 1, -1):
        longest = [max(map(len, column)) for column in np.array_split(labels, columns)]
        if sum(0.6 + 0.068 * length for length in longest) < figure.get_figwidth():
            return columns
    return 1
