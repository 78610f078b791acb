"""Which cells notebook 09 compares: tickets by sources and layer densities, and masks that are trained as long."""

from __future__ import annotations

import numpy as np
import pytest

from planted_tickets import CELLS, OTHERS, planted
from randsparse.questions.strong_tickets.evidence import describe_layers, describe_source, label


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("runs"), cells=CELLS | OTHERS)


def names(pairs):
    return [(a.name, b.name) for a, b in pairs]


def test_cells_are_called_by_what_they_are(whole):
    called = {cell.name: label(cell.point) for cell in whole.design.networks}
    assert called["whole 90"] == "ticket of dense source" and called["part 95"] == "ticket of uniform source, 50 %"
    assert called["part 90, longer"] == "ticket of uniform source, 50 %, retrained"
    assert called["whole 90, normal"] == "ticket of dense source, normal weights"
    assert (called["mask 90"], called["erk 90, longer"]) == ("trained uniform mask", "trained ERK mask")
    points = {cell.name: cell.point for cell in whole.design.networks}
    assert describe_source(points["er 90"]) == "ER source, 50 %"
    assert [describe_layers(points[name]) for name in ("whole 90", "part 90", "er 90", "mask 90")] == [
        *("uniform", "uniform"),
        *("er", "uniform"),
    ]


def test_sources_are_told_apart_by_their_layer_densities(found, whole):
    for own in (found, whole):
        assert {s: (a.name, b.name) for s, (a, b) in own.equal.items()} == {
            0.9: ("part 90", "whole 90"),
            0.95: ("part 95", "whole 95"),
        }
    assert not found.unequal
    assert {source: names(pairs) for source, pairs in whole.unequal.items()} == {
        "ER source, 50 %": [("er 90", "whole 90"), ("er 95", "whole 95")]
    }


def test_the_claim_is_the_mean_over_both_sparsities_seed_by_seed(found):
    differences = [found.values(a) - found.values(b) for a, b in found.equal.values()]
    assert found.claim.value == pytest.approx(np.mean(differences))
    assert found.claim.error == pytest.approx(np.sqrt(np.var(differences, axis=1, ddof=1).sum() / 10) / 2)
    assert (found.claim.n, found.claim.runs) == (20, 40)


def test_a_ticket_stands_beside_masks_of_its_layer_densities_that_are_trained_as_long(found, whole):
    assert {source: names(pairs) for source, pairs in found.trained(False).items()} == {
        "dense source": [("whole 90", "mask 90"), ("whole 95", "mask 95")],
        "uniform source, 50 %": [("part 90", "mask 90"), ("part 95", "mask 95")],
    }
    assert {source: names(pairs) for source, pairs in whole.trained(True).items()} == {
        "uniform source, 50 %": [("part 90, longer", "mask 90, longer")],
        "ER source, 50 %": [("er 90, longer", "erk 90, longer")],
    }
    assert "ER source, 50 %" not in whole.trained(False), "no random mask has its layer densities"


def test_dense_networks_are_those_that_are_trained_as_long(found):
    assert found.dense.name == "dense"
    assert list(found.dense_level(found.tickets(retrained=True))["cell"]) == ["dense, longer"]
    assert list(found.dense_level(found.tickets())["cell"]) == ["dense"] and found.dense_level([]).empty


def test_stages_have_their_tickets_and_masks(found):
    assert set(found.accuracies(True)["cell"]) == {"part 90, longer", "mask 90, longer"}
    assert set(found.accuracies(False)["cell"]) == {
        f"{kind} {at}" for kind in ("whole", "part", "mask") for at in (90, 95)
    }
    assert names(found.weights) == [("whole 90", "whole 90, normal")]


def test_the_first_epoch_of_training_weights_is_read_from_the_curves(found, tmp_path):
    assert found.restart == pytest.approx((0.5, 0.3))
    assert planted(tmp_path, skip=lambda cell, _: "longer" in cell).restart is None
