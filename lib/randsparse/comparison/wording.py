"""How captions and sentences write numbers: points, intervals, shares, counts, lists."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.plots import count_text

TOO_FEW = "too few runs yet"


def number(value: float, digits: int = 2) -> str:
    """Return a number with a true minus sign; "unknown" for nan."""
    return "unknown" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def format_points(fraction: float, signed: bool = True) -> str:
    """Return a fraction in percentage points: .0031 is "+0.31"; what rounds to 0 has no sign."""
    text = f"{abs(100 * fraction):.2f}"
    if not signed or float(text) == 0:
        return text
    return ("−" if fraction < 0 else "+") + text


def format_estimate(estimate: Estimate | None) -> str:
    """Return an estimate in points with its 95 % interval: "+0.31 [−0.10, +0.72]"."""
    return (
        TOO_FEW
        if estimate is None
        else f"{format_points(estimate.value)} {format_interval(estimate.low, estimate.high)}"
    )


def format_interval(low: float, high: float) -> str:
    """Return limits in percentage points: "[−0.10, +0.45]"."""
    return f"[{format_points(low)}, {format_points(high)}]"


def share_text(value: float, low: float, high: float) -> str:
    """Return a share with its limits: "0.12 [−0.20, 0.43]"; unbounded limits are said in words."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{_plain(value)} [no limits]"
    return f"{_plain(value)} [{_plain(low)}, {_plain(high)}]"


def format_phase(share: float) -> str:
    """Return a share of training in percent: "10 %"."""
    return f"{100 * share:.3g} %"


def count(numbers: Iterable[int]) -> str:
    """Return "40", or "38–40" where numbers differ."""
    return count_text(map(int, numbers)).removeprefix("n = ")


def format_model(model: str) -> str:
    """Return the name of a network as papers write it: "WRN-16-1", "ResNet-20", "Transformer-2-32"."""
    return model.upper().replace("RESNET", "ResNet").replace("TRANSFORMER", "Transformer")


def list_words(texts: Sequence[str]) -> str:
    """Return "a", "a and b", or "a, b and c"."""
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]])) if texts else ""


def list_names(cells: Sequence[str]) -> str:
    """Return names of cells in italics, since they may have commas: "*a* and *b, c*"."""
    return list_words([f"*{cell}*" for cell in cells])


def format_count(number: int, noun: str) -> str:
    """Return "1 cell", "5 cells"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def convert_to_percent(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return a frame with some columns of fractions in percent (or points), renamed, and all others as they are."""
    return frame.assign(**{name: 100 * frame[name].astype(float) for name in names}).rename(columns=dict(names))


def _plain(value: float) -> str:
    text = f"{value:.2f}"
    return ("0.00" if float(text) == 0 else text).replace("-", "−")
