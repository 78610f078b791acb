"""All that notebook 10 knows of a set of cells, computed once, so that figures, tables and sentences agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from randsparse.comparison.crossed import Crossed
from randsparse.comparison.inference.correlation import correlation
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.primary import find_claims
from randsparse.comparison.wording import convert_to_percent, format_model
from randsparse.errors import StudyError
from randsparse.questions.early_and_late import basins, cooling, frames, plan, variance
from randsparse.questions.early_and_late.frames import POOLED
from randsparse.questions.early_and_late.hypotheses import judge_hypotheses, recover_planted
from randsparse.questions.early_and_late.plan import EARLY, LATE
from randsparse.runs.store import Store


@dataclass(frozen=True)
class Evidence:
    """What the finished runs of some cells say.

    Attributes:
        whole: the cells of candidates, and of those that cool down early.
    """

    whole: Crossed
    store: Store

    @property
    def design(self) -> Crossed:
        """The cells of candidates."""
        return plan.candidates(self.whole)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """One row per run and epoch; raises StudyError if no run has ended."""
        if (curves := frames.curves(self.design, self.store)).empty:
            names = ", ".join(cell.name for cell in self.design.networks)
            raise StudyError(f"no run of the cells {names} has ended: train some with make runs, or merge records")
        return curves

    @cached_property
    def plain(self) -> pd.DataFrame:
        """The correlation of validation accuracy with final test accuracy, by epoch."""
        return frames.correlations(self.curves)

    @cached_property
    def averaged(self) -> pd.DataFrame:
        """The same correlation for the moving average of the weights."""
        return frames.correlations(self.curves, "ema_val_accuracy")

    @cached_property
    def reliable(self) -> pd.DataFrame:
        """How much of the spread between runs is real, by cell and epoch."""
        return variance.reliabilities(self.design, self.store, sorted(self.curves["epoch"].unique()))

    @cached_property
    def ceilings(self) -> pd.DataFrame:
        """The means over cells of `reliable`."""
        return variance.mean_ceilings(self.reliable)

    @cached_property
    def shares(self) -> pd.DataFrame:
        """The shares of network, order and residual in the variance, by epoch."""
        return variance.shares(self.curves)

    @cached_property
    def gains(self) -> pd.DataFrame:
        """What searches gain early and at the end, measured and predicted."""
        return frames.gains(self.curves, EARLY)

    @cached_property
    def winners(self) -> pd.DataFrame:
        """How often the early winner is the best at the end."""
        return frames.winners(self.curves, EARLY)

    @cached_property
    def explanations(self) -> pd.DataFrame:
        """One row per explanation and intervention."""
        margin = find_claims("10")[0].margin
        return judge_hypotheses(self.curves, self.plain, self.ceilings, self.cooled, EARLY, margin)

    @cached_property
    def cooled(self) -> pd.DataFrame:
        """One row per run that was cooled down early: validation accuracy before and after, and its end without."""
        return cooling.pair_runs(plan.select_cooled(self.whole), self.design, self.curves, self.store)

    @cached_property
    def barriers(self) -> pd.DataFrame:
        """One row per fork: the barrier between its end and that of the run that it leaves."""
        return basins.barriers(self.whole, self.store)

    @cached_property
    def travels(self) -> pd.DataFrame:
        """Error on the lines from early checkpoints to the end."""
        return basins.travels(self.whole, self.store)

    @cached_property
    def sharpness(self) -> pd.DataFrame:
        """How the sharpness of early checkpoints correlates with early and final accuracy."""
        return basins.sharpness_correlations(basins.sharpness(self.whole, self.store))

    @cached_property
    def planted(self) -> pd.Series:
        """What the machinery finds of a planted correlation."""
        return recover_planted(self.curves)

    @cached_property
    def early(self) -> Estimate | None:
        """The correlation after 10 % of training, or None as long as there are too few runs."""
        pairs = frames.look_after(self.curves, frames.find_epoch(self.curves, EARLY))
        return frames.attempt(correlation, [(pair.early, pair.final) for pair in pairs])

    @cached_property
    def rise(self) -> Estimate | None:
        """The correlation after 90 % of training less that after 10 %, or None as long as there are too few runs."""
        first, last = (frames.look_after(self.curves, frames.find_epoch(self.curves, share)) for share in (EARLY, LATE))
        return frames.rise(first, last)

    def cells(self) -> pd.DataFrame:
        """Return `at_end` for a reader: accuracy in percent, standard deviations in points."""
        names = {"test_accuracy": "test accuracy (%)", "spread": "spread (points)", "sampling": "image noise (points)"}
        return convert_to_percent(self.at_end(), names)

    def networks(self) -> str:
        """Return the networks and the epochs of the candidates in words."""
        points = [cell.point for cell in self.design.networks]
        return ", ".join(dict.fromkeys(f"{format_model(point.model)}, {point.epochs} epochs" for point in points))

    def settled(self) -> pd.DataFrame:
        """Return barriers and distances by cell and epoch, means over networks."""
        return basins.average_by_epoch(self.barriers, self.travels)

    def network_at_end(self) -> pd.DataFrame:
        """Return the share of network in the variance of final accuracy in one row, with its limits and p value."""
        return pd.DataFrame([variance.network_at_end(self.curves)])

    def pooled(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return Pearson's r over all cells, by epoch."""
        return rows[(rows["cell"] == POOLED) & (rows["kind"] == "pearson")].set_index("epoch")

    def at_end(self) -> pd.DataFrame:
        """Return one row per cell: how many runs there are, how they end, and how far the ends really differ.

        Columns cell, runs, test_accuracy (a fraction), spread and sampling (standard deviations between runs of an
        order, and of the choice of images), reliability, low, high.
        """
        last = self.curves[self.curves["epoch"] == self.curves["epoch"].max()]
        ends = last.groupby("cell", sort=False).agg(runs=("key", "nunique"), test_accuracy=("test_accuracy", "mean"))
        reliable = self.reliable[self.reliable["epoch"].isna()].set_index("cell")
        found = ends.join(reliable[["spread", "sampling", "reliability", "low", "high"]])
        missing = [cell.name for cell in self.design.networks if cell.name not in found.index]
        return pd.concat([found.reset_index(), pd.DataFrame({"cell": missing, "runs": 0})], ignore_index=True)
