"""The figures of notebook 07 with their captions."""

from __future__ import annotations

import pandas as pd

from randsparse.comparison.plots import Drawn
from randsparse.comparison.wording import count, format_interval, format_points, list_words, number
from randsparse.questions.theory import charts, verdicts
from randsparse.questions.theory.containment import DROPPED, EVERY
from randsparse.questions.theory.evidence import Evidence


def draw_containment(found: Evidence) -> Drawn:
    """Draw how many sources contain a target if every copy has to succeed, beside the exact prediction."""
    shown = verdicts.add_intervals(found.contained[found.contained["event"] == EVERY])
    gap = (shown["share"] - shown["predicted"]).abs().max()
    caption = (
        f"Share of random sources in which every copy of every neuron realises every edge, with exact 95 % binomial "
        f"intervals (n = {count(shown['masks'])} sources at each of {len(shown)} points). Lines: the exact prediction; "
        f"the largest deviation is {number(100 * gap, 1)} points. Dotted: the union bound."
    )
    return Drawn(charts.containment(shown), caption, shown)


def draw_widths(found: Evidence) -> Drawn:
    """Draw the width that is needed against 1/log(1/s)."""
    saved = found.needed.pivot_table("width", ["target", "sparsity"], "event")
    ratio = (saved[DROPPED] / saved[EVERY]).dropna()
    least, most = (number(100 * (1 - end), 0) for end in (ratio.max(), ratio.min()))
    failure = found.parameters["failure"]
    caption = (
        f"Width at which {100 * (1 - failure):g} % of the sources contain the target, against the factor 1/log(1/s) of "
        f"their sparsity s; right: the width without which an input or output is cut off, whatever the weights. "
        f"Fitted, with 95 % intervals (n = {count(found.contained['masks'])} sources at each width). If copies that "
        f"fail are dropped, {least} to {most} % of the width is saved."
    )
    return Drawn(charts.widths_needed(found.needed, found.bounds), caption, found.needed)


def draw_tickets(found: Evidence) -> Drawn:
    """Draw the error of one weight, and of whole networks, against the copies that the mask leaves."""
    whole = pd.concat([found.weights, found.networks], ignore_index=True)
    rates = found.rates["rate"].dropna()
    told = f"{number(rates.min())} to {number(rates.max())} bits" if len(rates) else "an unknown number of bits"
    caption = (
        f"Error of one weight as the best sum of frozen weights that the mask leaves, and largest error of whole "
        f"networks of frozen weights: geometric mean with 95 % interval of the logarithm. Each copy that the mask "
        f"leaves takes {told} of error away; one bit halves it."
    )
    return Drawn(charts.network_errors(whole), caption, whole)


def draw_practice(found: Evidence) -> Drawn | None:
    """Draw random masks of wider networks minus the dense one; None as long as there are too few runs."""
    gaps = found.gaps
    if gaps.empty:
        return None
    told = [
        f"*{row.cell}* {format_points(row.mean)} {format_interval(row.low, row.high)} at {row.width:g} "
        "times the width, where "
        f"containment asks for {number(row.asked, 1)} times"
        for row in gaps.itertuples()
    ]
    caption = (
        f"Test accuracy of random masks of wider networks minus that of *{found.parameters['dense']}*, with "
        f"simultaneous 95 % intervals (n = {count(gaps['n'])} runs of the smaller cell): "
        f"{list_words(told)}. Shaded: at "
        f"most 1 point worse."
    )
    return Drawn(charts.practice(gaps), caption, gaps)
