"""Verdicts beyond accuracy change when the data do, in their own units, and lower is better where it is."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from randsparse.questions.beyond_accuracy import frames, verdicts

MARGINS = {"margin": 0.01, "nll_margin": 0.02, "auroc_margin": 0.02}
EVERYWHERE = {each.column: 0.5 for each in verdicts.MEASURES}


def measured(n: int = 6, noise: float = 0.001, **effects: float) -> pd.DataFrame:
    """Networks that are all alike but for noise, and for what `effects` add to measures of random masks."""
    random = np.random.default_rng(0)
    rows = []
    for arm, sparsity in (
        ("dense", 0.0),
        ("random", 0.8),
        ("random", 0.9),
        ("small dense (own scale)", 0.8),
        ("small dense (own scale)", 0.9),
    ):
        for replicate in range(n):
            values = {name: value + random.normal(0, noise) for name, value in EVERYWHERE.items()}
            if arm == "random":
                values = {name: value + effects.get(name, 0) for name, value in values.items()}
            labels = {"arm": arm, "structure": "weight", "sparsity": sparsity, "replicate": replicate}
            rows.append(labels | {"key": f"{arm}-{sparsity}-{replicate}"} | values)
    return pd.DataFrame(rows)


def judged(found: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(verdicts.rows(found)).set_index("claim")


def test_without_an_effect_random_masks_equal_dense_ones_and_are_not_better_than_small_ones():
    table = judged(verdicts.differences(measured(), MARGINS))
    of_dense = table.index.str.endswith("the dense network")
    assert len(table) == 2 * len(verdicts.MEASURES) and of_dense.sum() == len(verdicts.MEASURES)
    assert (table[of_dense]["verdict"] == "supported").all()
    assert (table[~of_dense]["verdict"] == "contradicted").all()  # decidedly equivalent, which is not better
    assert (judged(verdicts.differences(measured(noise=0.2), MARGINS))["verdict"] == "inconclusive").all()


@pytest.mark.parametrize("measure", verdicts.MEASURES, ids=lambda each: each.column)
@pytest.mark.parametrize("better", [True, False])
def test_a_planted_effect_is_told_with_its_direction_and_unit(measure, better):
    effect = 0.1 if better != measure.lower else -0.1
    found = verdicts.differences(measured(**{measure.column: effect}), MARGINS)
    own = found["measure"] == measure.column
    assert (found[~own]["verdict"] == "equivalent").all()
    table = judged(found[own])
    equal = table.loc[f"Random masks {measure.as_dense} the dense network"]
    superior = table.loc[f"Random masks {measure.than_small} small dense networks of as many weights"]
    direction = "better" if better else "worse"
    assert equal["verdict"] == "contradicted"
    assert f"2 of 2 {direction}; {direction} at 80% (weight)" in equal["evidence"]
    assert superior["verdict"] == ("supported" if better else "contradicted")
    lowest, highest = map(float, re.search(r"from (\S+) to (\S+) " + measure.unit, equal["evidence"]).groups())
    shown = 100 * effect if measure.unit == "points" else effect
    assert lowest <= highest and [lowest, highest] == pytest.approx([shown, shown], rel=0.02)
    assert equal["evidence"].endswith("n = 6") and (table["verdict"] == "inconclusive").sum() == len(table) - 2


def test_a_measure_without_values_has_no_comparison():
    frame = measured().assign(pgd_accuracy=np.nan)
    found = verdicts.differences(frame, MARGINS)
    table = judged(found[found["measure"] == "pgd_accuracy"])
    row = table.loc["Random masks are as accurate under PGD as the dense network"]
    assert (row["verdict"], row["evidence"]) == ("inconclusive", "no comparison")


def test_arms_that_are_not_there_are_not_compared():
    frame = measured()
    rows = verdicts.differences(frame[frame["arm"] != "small dense (own scale)"], MARGINS)
    assert set(rows["baseline"]) == {"dense"} and len(verdicts.rows(rows)) == len(verdicts.MEASURES)


def test_one_sign_of_masking_contradicts_that_there_is_none():
    checks = pd.DataFrame({"key": list("aabb"), "arm": "random", "check": ["x", "y"] * 2, "lead": 1.0, "holds": True})
    assert verdicts.no_masking(checks)["verdict"] == "supported"
    checks.loc[2, "holds"] = False
    row = verdicts.no_masking(checks)
    assert row["verdict"] == "contradicted"
    assert row["evidence"] == "3 of 4 checks hold, of 2 networks; not so: x (1 random)"
    assert verdicts.no_masking(checks[:0])["verdict"] == "inconclusive"


def test_budgets_at_which_all_arms_are_at_the_floor_are_not_compared():
    rows = [
        {"attack": "pgd", "epsilon": epsilon, "arm": arm, "structure": "weight", "sparsity": 0.8, "accuracy": accuracy}
        for epsilon, accuracies in ((1, (0.5, 0.4)), (4, (0.05, 0.2)), (8, (0.02, 0.05)))
        for arm, accuracy in zip(("dense", "random"), accuracies, strict=True)
    ]
    kept = frames.above_chance(pd.DataFrame(rows), 0.1)
    assert kept["epsilon"].unique().tolist() == [1, 4] and len(kept) == 4
