"""All that notebook 06 knows of its networks, computed once, so that figures, tables and sentences agree."""

from __future__ import annotations

from functools import cached_property
from itertools import product

import pandas as pd

from randsparse.comparison.contrasts import describe_regime, estimate_contrast, levels
from randsparse.comparison.evidence import LIMITS, NamedCells, known_limits, mean_text
from randsparse.comparison.inference.estimate import Estimate
from randsparse.data import catalogue
from randsparse.questions.beyond_accuracy import frames
from randsparse.questions.beyond_accuracy.frames import BASELINES, DENSE, EQUAL_ACCURACY, EQUAL_WEIGHTS, Measure
from randsparse.questions.beyond_accuracy.ood import SCORES
from randsparse.questions.beyond_accuracy.plan import Evaluated


class Evidence(NamedCells):
    """What the evaluations of a notebook's cells say; the parameters `dense`, `sparse` and `narrow` name cells."""

    design: Evaluated

    @property
    def dense(self) -> str:
        """The cell of the dense parent."""
        return str(self.parameters["dense"])

    @property
    def sparse(self) -> str:
        """The cell of random masks."""
        return str(self.parameters["sparse"])

    @property
    def cells(self) -> list[str]:
        """The names of all cells, the dense parent first."""
        return [self.dense, self.sparse, *self.parameters["narrow"]]

    @property
    def regime(self) -> str:
        """Network, dataset, training and dense accuracy in words."""
        return describe_regime(self.design, self.store, [self.dense, self.sparse])

    @property
    def chance(self) -> float:
        """The accuracy of a guess."""
        return 1 / catalogue.shape(self.design.networks[0].point.dataset)[0]

    @cached_property
    def measures(self) -> list[Measure]:
        """What networks are compared on."""
        return frames.list_measures(self.parameters)

    @cached_property
    def measured(self) -> pd.DataFrame:
        """One row per network, with all measures."""
        return frames.measure_runs(self.design, self.store, self.parameters)

    @cached_property
    def ends(self) -> tuple[str, str] | None:
        """The dense cells between which one as accurate as the sparse cell lies."""
        return frames.find_bracket(self.measured, self.sparse, [self.dense, *self.parameters["narrow"]])

    def estimate(self, measure: str, baseline: str) -> Estimate | None:
        """Return sparse minus a baseline in a column of `measured`; None as long as there are too few networks.

        Args:
            baseline: one of BASELINES.
        """
        if baseline == EQUAL_ACCURACY:
            return frames.difference_at_equal_accuracy(self.design, self.measured, self.sparse, self.ends, measure)
        other = {DENSE: self.dense, EQUAL_WEIGHTS: self.parameters["narrow"][0]}[baseline]
        return estimate_contrast(self.design, self.measured, {self.sparse: 1.0, other: -1.0}, measure)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Sparse minus each baseline: measure, name, kind, baseline, mean, low, high, n; where it is known.

        The intervals of a baseline and kind are simultaneous 95 % intervals.
        """
        rows = []
        for baseline, kind in product(BASELINES, dict.fromkeys(each.kind for each in self.measures)):
            found = {each: self.estimate(each.column, baseline) for each in self.measures if each.kind == kind}
            rows += [
                (each.column, each.name, kind, each.lower_is_better, baseline, estimate.value, *ends, estimate.n)
                for each, estimate, ends in known_limits(found)
            ]
        names = ["measure", "name", "kind", "lower_is_better", "baseline", "mean", "low", "high", "n"]
        return pd.DataFrame(rows, columns=names)

    @cached_property
    def levels(self) -> pd.DataFrame:
        """The mean of each measure in each cell: measure, name, kind, and the columns of `contrasts.levels`."""
        parts = [
            levels(self.design, self.measured, each.column).assign(measure=each.column, name=each.name, kind=each.kind)
            for each in self.measures
        ]
        return pd.concat(parts, ignore_index=True)

    @property
    def near(self) -> pd.DataFrame:
        """Sparse minus each baseline in the AUROC against the nearest images: baseline, mean, low, high, n."""
        column = frames.name_ood_column(self.parameters["near"], self.parameters["ood_score"])
        found = {baseline: self.estimate(column, baseline) for baseline in BASELINES}
        rows = [(name, each.value, *each.interval(), each.n) for name, each in found.items() if each]
        return pd.DataFrame(rows, columns=["baseline", "mean", "low", "high", "n"])

    @property
    def far(self) -> list[str]:
        """The names of the measures of other images but for the nearest ones."""
        return [each.name for each in self.measures if each.kind == frames.IMAGES][1:]

    @property
    def attacked(self) -> pd.DataFrame:
        """The mean accuracy under each attack: attack, epsilon (0: clean), and the columns of `contrasts.levels`."""
        budgets = {attack: self.parameters["epsilons"] for attack in frames.KINDS}
        places = [(attack, each, frames.attack_column(attack, each)) for attack in budgets for each in budgets[attack]]
        places += [(attack, 0.0, "accuracy") for attack in budgets]
        parts = [
            levels(self.design, self.measured, column).assign(attack=attack, epsilon=float(epsilon))
            for attack, epsilon, column in places
        ]
        return pd.concat(parts, ignore_index=True).sort_values(["attack", "cell", "epsilon"])

    @cached_property
    def masking(self) -> pd.DataFrame:
        """One row per network and sign of gradient masking."""
        return frames.masking(self.design, self.store, self.parameters)

    @property
    def cell_table(self) -> pd.DataFrame:
        """One row per cell: networks that are evaluated and planned, weights left, and test accuracy."""
        means = levels(self.design, self.measured, "accuracy").set_index("cell")
        kept = self.measured.groupby("cell")["weights_kept"].mean()
        planned = {cell.name: cell.evaluated for cell in self.design.networks}
        rows = [
            {
                "cell": cell,
                "networks": int(means["n"].get(cell, 0)),
                "planned": planned[cell],
                "weights left (%)": 100 * kept.get(cell, float("nan")),
                "test accuracy (%)": mean_text(*means.loc[cell, LIMITS]) if cell in means.index else "",
            }
            for cell in self.cells
        ]
        return pd.DataFrame(rows)

    @property
    def calibration_table(self) -> pd.DataFrame:
        """One row per cell: ECE in percent and NLL in nats, mean and 95 % interval, as trained and scaled."""
        found = self.levels.set_index(["cell", "measure"])
        columns = {"ece": ("ECE (%)", 100), "ece_scaled": ("ECE, scaled (%)", 100)}
        columns |= {"nll": ("NLL (nats)", 1), "nll_scaled": ("NLL, scaled (nats)", 1)}
        rows = [
            {"cell": cell}
            | {
                name: mean_text(*found.loc[(cell, measure), LIMITS], scale, 2 if scale == 100 else 3)
                for measure, (name, scale) in columns.items()
            }
            for cell in self.cells
            if (cell, "ece") in found.index
        ]
        return pd.DataFrame(rows, columns=["cell", *(name for name, _ in columns.values())])

    @property
    def score_table(self) -> pd.DataFrame:
        """One row per outlier score: the AUROC (%) against the nearest images of each cell, mean and 95 % interval."""
        columns = {score: frames.name_ood_column(self.parameters["near"], score) for score in SCORES}
        means = {score: levels(self.design, self.measured, column) for score, column in columns.items()}
        texts = {
            score: {row.cell: mean_text(row.mean, row.low, row.high) for row in own.itertuples()}
            for score, own in means.items()
        }
        found = pd.DataFrame.from_dict(texts, orient="index").reindex(SCORES)
        return found[[cell for cell in self.cells if cell in found]].rename_axis("score").reset_index()
