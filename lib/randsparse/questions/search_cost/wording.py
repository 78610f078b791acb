"""Numbers in the words of notebook 11: points with intervals, counts, lists."""

from __future__ import annotations

from collections.abc import Sequence

from randsparse.comparison.inference.estimate import Estimate

TOO_FEW = "too few runs yet"


def points(fraction: float) -> str:
    """Return a fraction in percentage points: .0031 is "+0.31"; what rounds to 0 has no sign."""
    text = f"{abs(100 * fraction):.2f}"
    return text if float(text) == 0 else ("−" if fraction < 0 else "+") + text


def with_interval(estimate: Estimate | None) -> str:
    """Return an estimate in points with its 95 % interval: "+0.31 [−0.10, +0.72]"."""
    if estimate is None:
        return TOO_FEW
    return f"{points(estimate.value)} [{points(estimate.low)}, {points(estimate.high)}]"


def number(value: float, digits: int = 2) -> str:
    """Return a number with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def listed(texts: Sequence[str]) -> str:
    """Return "a", "a and b", or "a, b and c"."""
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]])) if texts else ""


def phase_text(share: float) -> str:
    """Return a share of training in percent: "10 %"."""
    return f"{100 * share:.3g} %"
