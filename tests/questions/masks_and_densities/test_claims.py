"""The finding of notebook 01 follows the masks, captions say what is drawn, and numbers are those of plain counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from conftest import REPOSITORY
from randsparse.errors import StudyError
from randsparse.questions.masks_and_densities import charts, claims, plan
from randsparse.questions.masks_and_densities.evidence import Evidence
from randsparse.sparsity import masks
from randsparse.study import parameters

SMALL = {
    "rules": ["uniform", "erk"],
    "shown_sparsities": [0.5, 0.9],
    "sparsities": [0.5, 0.99],
    "kinds": ["exact"],
    "seeds": 4,
    "pairs": 3,
    "allocated_models": ["wrn-10-1"],
    "asked_densities": 9,
}


@pytest.fixture(scope="module")
def found():
    return Evidence(parameters.read_parameters("01_masks_and_densities", "digits", REPOSITORY) | SMALL)


def with_shares(found, shares):
    """The same masks, of which these shares of the weights by ERK at 99 % lie on a path."""
    paths = found.paths.copy()
    own = (paths["rule"] == "erk") & (paths["sparsity"] == 0.99)
    paths.loc[own, "share"] = shares
    other = Evidence(found.parameters)
    other.__dict__.update(paths=paths, allocated=found.allocated, pairs=found.pairs, nested=found.nested)
    return other


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        ([0.5, 0.52, 0.54, 0.51], "supported"),
        ([0.95, 0.96, 0.97, 0.96], "contradicted"),
        ([0.8, 0.9, 0.95, 0.99], "undecided"),
        ([0.5, np.nan, np.nan, 0.6], "not tested"),
    ],
)
def test_the_share_on_a_path_decides_the_finding(found, shares, verdict):
    other = with_shares(found, shares)
    rows = claims.judge(other)
    assert (rows.loc[0, "verdict"], rows.loc[0, "kind"]) == (verdict, "finding")
    assert set(rows["kind"][1:]) == {"check"} and len(rows) == 6
    if verdict != "not tested":
        assert rows.loc[0, "estimate"] == pytest.approx(100 * np.nanmean(shares))
    assert claims.FOLLOWS[verdict] in claims.write_abstract(other, verdict).data
    assert claims.FOLLOWS[verdict] in claims.write_what_follows(other, verdict).data


def test_the_limits_are_those_of_students_t(found):
    row = claims.judge(with_shares(found, [0.5, 0.52, 0.54, 0.51])).iloc[0]
    values = 100 * np.array([0.5, 0.52, 0.54, 0.51])
    assert row["high"] - row["estimate"] == pytest.approx(2.353363 * values.std(ddof=1) / 2, rel=1e-5)


def test_numbers_again_from_masks_alone(found):
    """Density of a mask, the share of a layer that ERK keeps, and the allocation's largest error, by plain counts."""
    mask = found.mask
    kept = sum(int(layer.sum()) for layer in mask.values())
    size = sum(layer.numel() for layer in mask.values())
    assert kept == round(0.25 * size) and size == 77_072
    assert found.regime == "WRN-10-1 for digits, 77,072 weights, not trained"
    exact = found.allocated[found.allocated["allocator"] == "exact"].dropna(subset=["kept"])
    assert (exact["kept"] - (exact["asked"] * 77_360).round()).abs().max() <= 0.5  # on CIFAR-10
    layers = found.layers.query("rule == 'uniform' and sparsity == 0.9")["density"]
    assert layers.to_numpy() == pytest.approx(np.full(len(layers), 0.1), abs=0.005)
    assert isinstance(next(iter(mask.values())), torch.Tensor) and masks.KINDS


def test_captions_say_what_is_drawn(found):
    shown = charts.draw_paths(found)
    left = shown.data[shown.data["sparsity"] == 0.99].groupby("rule")["share"].mean()
    assert f"{100 * left.min():.1f} to {100 * left.max():.1f} %" in shown.caption and "n = 4 masks" in shown.caption
    spread = (found.draws["kept"] / found.draws["size"]).groupby(found.draws["kind"]).std()
    assert f"{100 * spread['bernoulli']:.2f} drawn by Bernoulli" in charts.draw_masks(found).caption
    assert "the largest error is 0 weights" in charts.draw_allocation(found).caption
    assert "furthest apart under" in charts.draw_layers(found).caption


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rules": ["erq"]}, "unknown density rule 'erq'"),
        ({"layer": "stem"}, "unknown layer 'stem'"),
        ({"kinds": ["nodes"]}, "unknown kind of mask 'nodes'"),
    ],
)
def test_unknown_names_are_refused_before_a_mask_is_drawn(found, changes, message):
    with pytest.raises(StudyError, match=message):
        plan.make_comparison(found.parameters | changes)
