"""All that notebook 05 knows of its cells, computed once, so that figures, tables and sentences agree."""

from __future__ import annotations

from functools import cached_property

import pandas as pd

from randsparse.comparison import frames
from randsparse.comparison.campaign import Networks
from randsparse.comparison.cells import Pair
from randsparse.comparison.evidence import MaskedCells
from randsparse.comparison.frames import ROLES, RUN
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.plots import percent_text
from randsparse.runs.config import RunConfig
from randsparse.sparsity.densities import RULES, SCORED

NAMES = {"er": "ER", "erk": "ERK", "erk+": "ERK+", "igq": "IGQ", "snip": "SNIP", "grasp": "GraSP", "synflow": "SynFlow"}
"""The names of rules and scores, where they are not those of their code."""
REFERENCE, PLAIN, SCORE = "erk", "uniform", "snip"
RULES_AT, MASKS_AT = 0.98, 0.9
"""The sparsities that the primary claims are about."""
POINT = ["arm", "sparsity"]
MASK, SHUFFLED, MOVED = "mask", "shuffled", "mask, other weights"


def label(point: RunConfig) -> str:
    """Return what a mask is called: its rule, or score and version (MASK, SHUFFLED or MOVED)."""
    name = NAMES.get(point.rule, point.rule)
    if point.criterion != "random":
        return f"{name} {MASK if point.score_init_seed is None else MOVED}"
    return f"{name} {SHUFFLED}" if point.rule in SCORED else name


class Layerwise(MaskedCells):
    """What notebook 05 shows: rules against ERK, and score masks against what is left of them."""

    @cached_property
    def sparse(self) -> list[Networks]:
        """The cells of static masks, from the least sparse on."""
        static = [cell for cell in self.find(method="static") if cell.point.sparsity]
        return sorted(static, key=lambda cell: cell.point.sparsity)

    def mask(self, sparsity: float, rule: str, criterion: str = "random", moved: bool = False) -> Networks | None:
        """Return the cell of one mask, moved: around other initial weights than the scored ones; None without it."""
        found = self.find(sparsity=sparsity, rule=rule, criterion=criterion, method="static")
        return next((cell for cell in found if (cell.point.score_init_seed is not None) == moved), None)

    @cached_property
    def rules(self) -> dict[tuple[str, float], Pair]:
        """ERK and each other rule by shapes at the same sparsity, by rule and sparsity."""
        pairs = {}
        for cell in self.sparse:
            reference = self.mask(cell.point.sparsity, REFERENCE)
            if reference and cell != reference and cell.point.criterion == "random" and cell.point.rule in RULES:
                pairs[cell.point.rule, cell.point.sparsity] = (reference, cell)
        return pairs

    def masks(self, version: str) -> dict[tuple[str, float], Pair]:
        """Return each score mask and a version of it, SHUFFLED or MOVED, by score and sparsity."""
        pairs = {}
        for cell in self.sparse:
            score, sparsity = cell.point.criterion, cell.point.sparsity
            criterion = "random" if version == SHUFFLED else score
            other = self.mask(sparsity, cell.point.rule, criterion, version == MOVED)
            if other and score != "random" and cell.point.score_init_seed is None:
                pairs[score, sparsity] = (cell, other)
        return pairs

    @property
    def rule_claim(self) -> Estimate | None:
        """ERK − uniform at 98 %."""
        return self.mean_difference(self.rules, [(PLAIN, RULES_AT)])

    @property
    def mask_claim(self) -> Estimate | None:
        """The SNIP mask − its shuffle at 90 %."""
        return self.mean_difference(self.masks(SHUFFLED), [(SCORE, MASKS_AT)])

    @cached_property
    def rule_forest(self) -> pd.DataFrame:
        """One row per rule and sparsity: ERK minus the rule."""
        return self.forest({name_rule_row(*key): pair for key, pair in self.rules.items()})

    @cached_property
    def mask_forest(self) -> pd.DataFrame:
        """One row per score mask and version: the mask minus its shuffle, and minus the mask around other weights."""
        versions = ((version, self.masks(version)) for version in (SHUFFLED, MOVED))
        return self.forest({mask_row(*key, version): pair for version, of in versions for key, pair in of.items()})

    @cached_property
    def rule_levels(self) -> pd.DataFrame:
        """The accuracy of the rules by shapes, from the best at the highest sparsity on."""
        rules = [cell for cell in self.sparse if cell.point.criterion == "random" and cell.point.rule in RULES]
        found = self.levels(rules, label)
        order = found.sort_values(["sparsity", "mean"], ascending=False)["row"].drop_duplicates().tolist()
        return found.sort_values("row", key=lambda names: names.map(order.index), kind="stable")

    @cached_property
    def mask_levels(self) -> pd.DataFrame:
        """The accuracy of score masks and of their versions."""
        masks = [cell for rule in SCORED for cell in self.sparse if cell.point.rule == rule]
        return self.levels(masks, label)

    @cached_property
    def dense_level(self) -> pd.DataFrame:
        """The accuracy of the dense networks."""
        return self.levels([self.dense] if self.dense else [], lambda _: "dense")

    @cached_property
    def layers(self) -> pd.DataFrame:
        """One row per layer of each random mask that was trained, as `frames.layers`, arms named by `label`."""
        found = frames.layers(self.design, self.store)
        names = {cell.name: label(cell.point) for cell in self.sparse if cell.point.criterion == "random"}
        found = found[found["arm"].isin(list(names))]
        return found.assign(arm=found["arm"].map(names)).sort_values("sparsity", kind="stable")

    @property
    def roles(self) -> pd.DataFrame:
        """What each random mask keeps of the layers by their roles, means over its runs, shares in percent."""
        found = by_role(self.layers).rename(columns={"arm": "rule"})
        shares = [name for name in found if name not in ("rule", "emptied", "cut_off", "runs")]
        return found.assign(**{name: 100 * found[name] for name in shares}).rename(
            columns={name: f"{name.replace('_', ' ')} (%)" for name in shares}
        )


def name_rule_row(rule: str, sparsity: float) -> str:
    """Return the name of the row of ERK minus a rule."""
    return f"ERK − {NAMES.get(rule, rule)}, {percent_text(sparsity)} %"


def mask_row(score: str, sparsity: float, version: str) -> str:
    """Return the name of the row of a score mask minus a version of it."""
    return f"{NAMES.get(score, score)}, {percent_text(sparsity)} %: mask − {version.removeprefix('mask, ')}"


def by_role(layers: pd.DataFrame) -> pd.DataFrame:
    """Return one row per arm and sparsity, in the order of arms: means over its runs.

    Columns: the density of the layers of each of ROLES that the network has; `emptied`, layers without a weight;
    `cut_off`, layers without a weight on a path; `on_path`, the share of kept weights that is on one; and runs.
    """
    kept = layers.groupby([*RUN, "role"], sort=False, as_index=False)[["kept", "size"]].sum()
    wide = kept.assign(density=kept["kept"] / kept["size"]).pivot_table(
        index=POINT, columns="role", values="density", sort=False
    )
    counted = layers.assign(
        emptied=layers["kept"] == 0,
        cut_off=(layers["effective"] == 0).where(layers["effective"].notna()).astype(float),
        used=layers["effective"] * layers["size"],
    )
    sums = counted.groupby(RUN, sort=False)[["emptied", "cut_off", "used", "kept"]].sum(min_count=1)
    sums["on_path"] = sums["used"] / sums["kept"]
    means = sums.groupby(POINT, sort=False)[["emptied", "cut_off", "on_path"]].mean()
    runs = sums.groupby(POINT, sort=False).size().rename("runs")
    return wide[[name for name in ROLES if name in wide]].join(means).join(runs).reset_index()
