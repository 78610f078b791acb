"""The sentences of notebook 10 that numbers write: its abstract, and what follows for a practitioner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from randsparse.comparison import sentences
from randsparse.comparison.wording import format_count, format_model, number
from randsparse.questions.early_and_late.evidence import Evidence
from randsparse.questions.early_and_late.frames import find_epoch
from randsparse.questions.early_and_late.plan import EARLY, LATE
from randsparse.questions.early_and_late.words import format_interval, format_networks, format_points

if TYPE_CHECKING:
    from IPython.display import Markdown

LEVEL = 0.5
"""The correlation from which on a look is said to order the ends: a quarter of the variance."""


def write_abstract(found: Evidence) -> Markdown:
    """Return question and regime, estimate, and what follows, in three sentences."""
    curves = found.curves
    early, late, last = find_epoch(curves, EARLY), find_epoch(curves, LATE), int(curves["epoch"].max())
    plain = found.pooled(found.plain)
    return sentences.write_abstract(
        f"Does validation accuracy after {early} of {last} epochs say which of several random networks is the best at "
        f"the end ({describe_regime(found)})?",
        f"It correlates with final test accuracy by r = {format_interval(plain.loc[early])} then, and by "
        f"{format_interval(plain.loc[late])} after epoch {late} "
        f"({format_networks(int(plain.loc[early, 'n']), curves['cell'].nunique())}, 95 % intervals).",
        _gain_sentence(describe_search(found)),
    )


def describe_regime(found: Evidence) -> str:
    """Return dataset, network, epochs, runs and accuracies in words."""
    cells = found.design.networks
    models = sorted({format_model(cell.point.model) for cell in cells})
    ends = found.at_end().dropna(subset=["test_accuracy"])
    low, high = ends["test_accuracy"].min(), ends["test_accuracy"].max()
    accuracy = f"{100 * low:.1f}" if len(ends) == 1 else f"{100 * low:.1f} to {100 * high:.1f}"
    return (
        f"{', '.join(models)} on {cells[0].point.dataset}, {int(found.curves['epoch'].max())} epochs, "
        f"{int(ends['runs'].sum())} runs of {format_count(len(ends), 'cell')}, {accuracy} % test accuracy"
    )


def describe_search(found: Evidence) -> pd.Series | None:
    """Return measured gains of the largest search that has intervals: early, late and best possible; None if none."""
    rows = found.gains[(found.gains["how"] != "predicted") & found.gains["low"].notna()]
    if rows.empty:
        return None
    size = rows["size"].max()
    own = rows[rows["size"] == size].set_index(["moment", "how"])
    names = {"early": ("early", "measured"), "late": ("late", "measured"), "best": ("late", "best possible")}
    return pd.Series({"size": size} | {name: own.loc[place].to_dict() for name, place in names.items()})


def _gain_sentence(gain: pd.Series | None) -> str:
    if gain is None:
        return "There are too few runs yet to say what a search gains."
    return (
        f"The early winner of {gain['size']} candidates is {format_points(gain['early'])} points above "
        "their mean when it is "
        f"picked and {format_points(gain['late'])} points at the end, where a perfect choice would gain "
        f"{format_points(gain['best'])}."
    )


def find_first_above(rows: pd.DataFrame, level: float = LEVEL) -> int | None:
    """Return the first epoch from which on r stays above a level, or None if it is below at the end.

    Args:
        rows: with the column value, by epoch.
    """
    below = rows.index[~(rows["value"] > level)]
    after = rows.index[rows.index > (below.max() if len(below) else -np.inf)]
    return int(after.min()) if len(after) else None


def write_what_follows(found: Evidence) -> Markdown:
    """Return when to look, at what, and how much a search can gain at most."""
    plain, averaged = found.pooled(found.plain), found.pooled(found.averaged)
    last = int(plain.index.max())
    ceiling = found.ceilings.set_index("epoch")["ceiling"].get(last, np.nan)
    looks = [
        _when("Validation accuracy of the network as trained", plain, last, ceiling),
        _when("that of a moving average of its weights", averaged, last, ceiling),
    ]
    gain, most = describe_search(found), ""
    if gain is not None:
        most = (
            f"Whatever it looks at, a search among {gain['size']} candidates of this kind gains at most "
            f"{format_points(gain['best'])} points over a random network; after {round(100 * EARLY)} % of "
            "training it gained "
            f"{format_points(gain['late'])}."
        )
    return sentences.write_what_follows(f"**When to look, and at what.** {'; '.join(looks)}.", most)


def _when(what: str, rows: pd.DataFrame, last: int, ceiling: float) -> str:
    epoch = find_first_above(rows)
    if epoch is None:
        r = f"r = {format_interval(rows.loc[last])} after the last epoch"
        r += f", where the choice of images allows {number(ceiling)}"
        return f"{what} never orders the ends well ({r})"
    r = format_interval(rows.loc[epoch])
    return f"{what} correlates with the end by more than {LEVEL} from epoch {epoch} of {last} on (r = {r})"
