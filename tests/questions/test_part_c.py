"""Part C of the campaign has the cells that the claims of notebooks 05, 08 and 09 are about, and no run is no error."""

from __future__ import annotations

import pytest

from conftest import REPOSITORY
from randsparse import questions
from randsparse.questions.layerwise_density import charts as layer_charts
from randsparse.questions.layerwise_density import prose as layer_prose
from randsparse.questions.layerwise_density import verdicts as layer_verdicts
from randsparse.questions.layerwise_density.evidence import SHUFFLED, Layerwise
from randsparse.questions.sparse_to_sparse import charts as method_charts
from randsparse.questions.sparse_to_sparse import prose as method_prose
from randsparse.questions.sparse_to_sparse import verdicts as method_verdicts
from randsparse.questions.sparse_to_sparse.evidence import CLAIMED, SMALL, STATIC, Methods
from randsparse.questions.strong_tickets import charts as ticket_charts
from randsparse.questions.strong_tickets import prose as ticket_prose
from randsparse.questions.strong_tickets import verdicts as ticket_verdicts
from randsparse.questions.strong_tickets.evidence import Tickets
from randsparse.runs.store import Store
from randsparse.study import parameters

BOTH = ("90 %", "98 %")
RULES = [f"small, {name} {at}" for at in BOTH for name in ("ERK", "uniform", "SNIP mask", "SNIP shuffled")]
METHODS = [
    f"small, {name} {at}{start}"
    for at in BOTH
    for name, starts in {"RigL": (", from dense", ", in a source"), "ERK": ("",), "small dense": ("",)}.items()
    for start in starts
] + [f"small, GMP {at}, {start}" for at in BOTH for start in ("from dense", "in a source")]
TICKETS = [
    f"small, {name}"
    for at in ("90 %", "95 %")
    for name in (f"ticket {at}, of dense", f"ticket {at}, of random", f"uniform {at}, beside tickets")
]


def design_of(notebook, cells):
    content = parameters.read_campaign("campaign", REPOSITORY)
    values = {"campaign": content, "train_missing": False, "cells": ["small, dense", *cells]}
    return questions.compare(notebook, values)


def shared(pair):
    a, b = pair
    return (a.first_seed, a.order_seed) == (b.first_seed, b.order_seed)


def test_rules_and_score_masks_are_there(tmp_path):
    found = Layerwise(design_of("05_layerwise_density", RULES), Store(tmp_path))
    assert set(found.rules) == {("uniform", 0.9), ("uniform", 0.98)}
    assert not any(map(shared, found.rules.values())), "each with seeds of its own"
    masks = found.masks(SHUFFLED)
    assert set(masks) == {("snip", 0.9), ("snip", 0.98)} and all(map(shared, masks.values()))


def test_methods_and_their_controls_are_there(tmp_path):
    found = Methods(design_of("08_sparse_to_sparse", METHODS), Store(tmp_path))
    assert set(found.pairs) == set(CLAIMED) and all(map(shared, found.pairs.values()))
    assert all(found.control(sparsity, name) for sparsity in (0.9, 0.98) for name in (STATIC, SMALL))
    assert [len(found.over_static(method)) for method in ("rigl", "gmp")] == [2, 2]


def test_tickets_of_equal_layer_densities_are_there(tmp_path):
    found = Tickets(design_of("09_strong_tickets", TICKETS), Store(tmp_path))
    assert set(found.equal) == {0.9, 0.95} and not found.unequal and all(map(shared, found.equal.values()))
    assert {source: len(pairs) for source, pairs in found.trained(False).items()} == {
        "dense source": 2,
        "uniform source, 50 %": 2,
    }
    assert found.dense.point.epochs == found.tickets()[0].point.epochs


@pytest.mark.parametrize(
    ("notebook", "cells", "evidence", "room", "draw"),
    [
        ("05_layerwise_density", RULES, Layerwise, (layer_verdicts, layer_prose), layer_charts.draw_rule_differences),
        ("08_sparse_to_sparse", METHODS, Methods, (method_verdicts, method_prose), method_charts.draw_costs),
        ("09_strong_tickets", TICKETS, Tickets, (ticket_verdicts, ticket_prose), ticket_charts.draw_sources),
    ],
)
def test_before_the_first_run_nothing_is_tested_and_all_is_said(tmp_path, notebook, cells, evidence, room, draw):
    found = evidence(design_of(notebook, cells), Store(tmp_path))
    verdicts, prose = room
    rows = verdicts.judge(found)
    assert set(rows.loc[rows["kind"] != "check", "verdict"]) == {"not tested"}
    assert "too few runs yet" in prose.write_abstract(found, rows).data and found.regime.endswith("no run yet")
    assert prose.write_what_follows(found, rows).data and "too few runs" in draw(found).caption
    assert (found.cells["runs"] == 0).all()
