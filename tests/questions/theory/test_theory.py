from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch

from made_up import record
from randsparse.comparison.wording import format_interval, format_points
from randsparse.errors import StudyError
from randsparse.questions.theory import claims, drawn, predictions, subset_sums
from randsparse.questions.theory import containment as theory_sources
from randsparse.questions.theory import plan as theory_runs
from randsparse.questions.theory import verdicts as theory_claims
from randsparse.questions.theory.containment import CONNECTED, DROPPED, EVERY, REACHED, Sources
from randsparse.questions.theory.evidence import Evidence
from randsparse.questions.theory.predictions import Target
from randsparse.runs.store import Store
from randsparse.seeds import generator

ONE, SPARSE = predictions.draw_target([1, 1, 1], 0), [[2.0, 0.0], [1.0, -1.0]]


def target(*weights):
    weights = tuple(torch.tensor(each, dtype=torch.float64) for each in weights)
    return Target(weights, tuple(torch.full((len(each),), 0.5, dtype=torch.float64) for each in weights))


def all_sources(sparsity):
    """Every mask of the smallest source, of the target 1-1-1 with k = k_0 = 2, and the probability of each."""
    bits = torch.tensor(list(itertools.product([False, True], repeat=4 + 8 + 2)))
    weights = torch.where(bits, 1 - sparsity, sparsity).double().prod(1)
    edges = bits[:, 4:12].reshape(-1, 1, 2, 2, 2), bits[:, 12:].reshape(-1, 1, 1, 1, 2)
    return Sources(bits[:, :4].reshape(-1, 2, 2), edges), weights


@pytest.mark.parametrize("sparsity", [0.25, 0.5, 0.75])
def test_the_prediction_is_the_sum_over_all_masks(sparsity, monkeypatch):
    monkeypatch.setattr(predictions, "input_copies", lambda copies, s: 2)
    sources, weights = all_sources(sparsity)
    held = theory_sources.check_containment(ONE, sources)
    exact = predictions.probability(ONE, 2, sparsity)
    assert float(weights[held[EVERY]].sum()) == pytest.approx(exact, abs=1e-12)
    dropped = float(weights[held[DROPPED]].sum())
    assert exact < dropped < predictions.dropping_bound(ONE, 2, sparsity)
    assert (held[EVERY] <= held[DROPPED]).all()


def test_every_source_that_contains_the_target_computes_it_and_no_other_can_be_constructed():
    sources, _ = all_sources(0.5)
    held = theory_sources.check_containment(ONE, sources)[DROPPED]
    x = torch.randn(20, 1, generator=generator("test", 0), dtype=torch.float64)
    for index in held.nonzero().flatten()[::37].tolist():
        assert theory_sources.disagreement(ONE, sources, index, x) < 1e-14
    rich = sources.edges[1].flatten(1).any(1) & sources.edges[0].flatten(1).sum(1).ge(2) & ~held
    with pytest.raises(StudyError, match="does not contain the target"):
        theory_sources.construct(ONE, sources, int(rich.nonzero()[0]))
    with pytest.raises(StudyError, match="source layer 2 keeps 0 edges, fewer than the 1 of the target"):
        theory_sources.construct(ONE, sources, 0)


def test_a_target_with_missing_edges_needs_less():
    full, sparse = target([[2.0, 3.0], [1.0, -1.0]], [[1.0, 1.0]]), target(SPARSE, [[1.0, 1.0]])
    assert predictions.pairs(full, 3) == 2 * 3 * 4 + 2 and predictions.pairs(sparse, 3) == 2 * 3 * 3 + 2
    assert predictions.probability(full, 4, 0.5) < predictions.probability(sparse, 4, 0.5)
    stream = generator("test", 1)
    sources = theory_sources.draw(sparse, 4, 0.5, 2000, stream)
    held = theory_sources.check_containment(sparse, sources)
    assert held[EVERY].double().mean() == pytest.approx(predictions.probability(sparse, 4, 0.5), abs=0.04)
    x = torch.randn(50, 2, generator=stream, dtype=torch.float64)
    for index in held[DROPPED].nonzero().flatten()[:20].tolist():
        assert theory_sources.disagreement(sparse, sources, index, x) < 1e-14


@pytest.mark.parametrize("widths", [(2, 3, 1), (2, 2, 2, 1)])
@pytest.mark.parametrize("sparsity", [0.2, 0.5, 0.9])
def test_bounds_hold_and_the_sufficient_width_suffices(widths, sparsity):
    drawn = predictions.draw_target(widths, 0)
    enough = predictions.sufficient_copies(drawn, sparsity, 0.05)
    assert predictions.probability(drawn, enough, sparsity) >= 1 - 0.05
    assert predictions.pairs(drawn, enough - 1) * sparsity ** (enough - 1) > 0.05
    for copies in range(1, enough + 5):
        exact = predictions.probability(drawn, copies, sparsity)
        low, high = (bound(drawn, copies, sparsity) for bound in (predictions.union_bound, predictions.dropping_bound))
        assert low <= exact <= high
    copies = predictions.input_copies(enough, sparsity)
    missed = (2 * sparsity - sparsity**2) ** copies
    assert missed <= sparsity**enough < missed / (2 * sparsity - sparsity**2)


def test_the_necessary_width_is_where_ends_are_connected_often_enough():
    for sparsity in (0.3, 0.9):
        width = predictions.necessary_width(5, sparsity, 0.05)
        assert predictions.not_cut_off(5, width, sparsity) == pytest.approx(0.95)
    assert theory_runs.width_factor(math.exp(-1)) == pytest.approx(1)


def test_edges_are_drawn_with_their_probability_and_the_same_again():
    for sparsity in (0.1, 0.5, 0.98):
        sparsity = predictions.round_to_grid(sparsity)
        drawn = theory_sources.draw_edges((300, 1001), sparsity, generator("test", 2))
        assert drawn.shape == (300, 1001)
        assert float(drawn.double().mean()) == pytest.approx(1 - sparsity, abs=5 * math.sqrt(0.25 / 300_300))
        assert torch.equal(drawn, theory_sources.draw_edges((300, 1001), sparsity, generator("test", 2)))


@pytest.fixture(scope="module")
def found():
    target = predictions.draw_target([2, 2, 1], 0)
    return theory_sources.count_containing([target], [0.5, 0.8], [0.3, 0.5, 0.7, 1.0], 1000, 3, 0.05, seed=0)


@pytest.fixture(scope="module")
def ends():
    target = predictions.draw_target([3, 1, 1], 0)
    return theory_sources.count_connected(target, [0.5, 0.8], [0.4, 0.7, 1.0], 1000, 0.05, 0)


def test_a_thousand_sources_contain_the_target_as_often_as_predicted(found, ends):
    every, dropped = (found[found["event"] == event] for event in (EVERY, DROPPED))
    connected = ends[ends["event"] == CONNECTED]
    assert theory_claims.judge_predicted("", every, 0.15)["verdict"] == "supported"
    assert theory_claims.judge_predicted("", connected, 0.15)["verdict"] == "supported"
    assert theory_claims.judge_bounded("", dropped, 0.15)["verdict"] == "supported"
    assert theory_claims.judge_construction(found)["verdict"] == "supported" and found["checked"].sum() > 20
    assert (ends.loc[ends["event"] == REACHED, "contained"].to_numpy() <= connected["contained"].to_numpy()).all()
    assert (dropped["contained"].to_numpy() >= every["contained"].to_numpy()).all()


def test_planted_effects_are_found(found):
    every = found[found["event"] == EVERY].copy()
    off = every.assign(predicted=(every["predicted"] - 0.1).clip(0, 1))
    assert theory_claims.judge_predicted("", off, 0.15)["verdict"] == "contradicted"
    assert theory_claims.judge_predicted("", every, 0.01)["verdict"] == "inconclusive"
    assert theory_claims.judge_predicted("", every.iloc[:0], 0.15)["verdict"] == "inconclusive"
    assert theory_claims.judge_bounded("", every.assign(low=0.99, high=1.0), 0.15)["verdict"] == "contradicted"
    assert theory_claims.judge_construction(found.assign(error=1e-3))["verdict"] == "contradicted"
    assert theory_claims.judge_construction(found.assign(error=math.nan))["verdict"] == "inconclusive"


def planted(width_of, n=100_000):
    """Counts of sources that reach 95 % at a width that is `width_of` the sparsity."""
    rows = []
    for sparsity in (0.3, 0.5, 0.7, 0.9):
        needed = width_of(sparsity)
        for copies in np.unique(np.ceil(needed * np.array([0.4, 0.6, 0.8, 1.0]))):
            share = math.exp(math.log(0.95) * math.exp(6 * (1 - copies / needed)))
            point = {"sparsity": sparsity, "factor": theory_runs.width_factor(sparsity), "copies": copies, "masks": n}
            rows.append({"target": "t", "event": EVERY, **point, "contained": round(n * share)})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("width_of", "verdict"),
    [
        (lambda s: 20 * theory_runs.width_factor(s), "supported"),
        (lambda s: 20 / (1 - s) ** 2, "contradicted"),
        (lambda s: 20 + 0 * s, "contradicted"),
    ],
)
def test_the_growth_of_the_width_is_found(width_of, verdict):
    frame = planted(width_of)
    needed = theory_claims.find_widths_needed(frame, 0.05)
    assert needed["width"].tolist() == pytest.approx([width_of(s) for s in needed["sparsity"]], rel=0.02)
    slopes = theory_claims.fit_exponents(needed)
    assert theory_claims.judge_near_one("", slopes, "exponent", 0.15, "")["verdict"] == verdict


def test_few_sources_leave_the_growth_open():
    needed = theory_claims.find_widths_needed(planted(lambda s: 20 * theory_runs.width_factor(s), n=20), 0.05)
    slopes = theory_claims.fit_exponents(needed)
    assert theory_claims.judge_near_one("", slopes, "exponent", 0.02, "")["verdict"] == "inconclusive"
    lost = theory_claims.find_widths_needed(planted(lambda s: 20.0).assign(contained=0), 0.05)
    assert lost["width"].isna().all()
    nothing = theory_claims.judge_near_one("", theory_claims.fit_exponents(lost), "exponent", 0.15, "")
    assert nothing["verdict"] == "inconclusive"


@pytest.mark.parametrize("count", [1, 2, 7, 10])
def test_the_best_subset_is_the_best_of_all(count):
    stream = generator("test", 3)
    values = torch.rand(40, count, generator=stream, dtype=torch.float64) * 2 - 1
    values[::3, count // 2] = 0
    targets = torch.rand(40, generator=stream, dtype=torch.float64) * 2 - 1
    found = subset_sums.find_nearest(values, targets)
    every = torch.tensor(list(itertools.product([0.0, 1.0], repeat=count)), dtype=torch.float64)
    best = (values @ every.T - targets[:, None]).abs().min(1).values
    assert torch.allclose(found.errors, best, atol=1e-14)
    assert torch.allclose(((values * found.chosen).sum(1) - targets).abs(), found.errors, atol=1e-14)


def test_the_error_of_one_weight_falls_exponentially_and_not_faster_than_it_can():
    errors = subset_sums.survey([1.0, 0.7], [8, 12, 16], 300, 1.0, seed=0)
    left = subset_sums.rates(errors)
    assert theory_claims.judge_near_one("", left, "rate", 0.25, "")["verdict"] == "supported"
    assert theory_claims.judge_not_faster("", errors)["verdict"] == "supported"
    assert theory_claims.judge_not_faster("", errors.assign(below=200))["verdict"] == "contradicted"
    assert (errors["mean"] > errors["least"]).all()
    slow = errors.assign(mean=-np.log2(errors["available"]), sem=0.01)
    assert theory_claims.judge_near_one("", subset_sums.rates(slow), "rate", 0.25, "")["verdict"] == "contradicted"
    assert subset_sums.rates(errors, fewest=100)["rate"].isna().all()


def test_whole_networks_are_approximated_the_better_the_more_copies():
    errors = subset_sums.survey([1.0], [4, 14], 20, 1.0, 0, widths=[2, 2, 1])
    assert errors["mean"].iloc[1] < errors["mean"].iloc[0] - 3
    assert errors["least"].isna().all() and (errors["target"] == "2-2-1").all()


_EACH = {"lr": 0.1, "networks": 5, "orders": 5, "crossed": False}
PARAMETERS = {
    "campaign": {
        "recipe": {"dataset": "digits", "epochs": 3},
        "parts": {
            "A": {
                "dense": _EACH | {"first_seed": 1000},
                "wide, 90 %": _EACH | {"first_seed": 2000, "model": "wrn-10-2", "sparsity": 0.9},
                "wider, 50 %": _EACH | {"first_seed": 3000, "model": "wrn-10-3", "sparsity": 0.5},
            }
        },
    },
    "train_missing": False,
    "dense": "dense",
    "wider": ["wide, 90 %", "wider, 50 %"],
}
SMALL = {
    "targets": [[1, 1, 1]],
    "needing": [1, 2, 1],
    "sparsities": [0.5, 0.8],
    "fractions": [0.4, 0.7, 1.0],
    "end_fractions": [0.4, 0.7, 1.0],
    "masks": 50,
    "checked": 1,
    "failure": 0.05,
    "resolution": 0.15,
    "slope_margin": 0.15,
    "ticket_densities": [1.0],
    "ticket_copies": [2, 4, 6],
    "ticket_draws": 20,
    "ticket_networks": [[1, 1, 1]],
    "network_copies": [2, 4],
    "network_draws": 5,
    "scale": 1.0,
    "fewest_left": 1.0,
    "seed": 0,
}


def trained(folder, lost, n=5):
    """Return what runs say of which the cell of WRN-10-2 loses `lost`."""
    store, parameters = Store(folder), PARAMETERS | SMALL
    design = theory_runs.cells(parameters)
    for cell in design.networks:
        for (network, _), config in list(cell.placed(store).items())[:n]:
            made = record(config)
            less = {"wide, 90 %": lost, "wider, 50 %": -0.02}.get(cell.name, 0.0)
            made["test"]["accuracy"] = 0.9 - less + 0.001 * np.random.default_rng([network, len(cell.name)]).normal()
            store.put(made)
    return Evidence(design, store, parameters)


@pytest.mark.parametrize(("lost", "verdict"), [(0.0, "supported"), (0.008, "supported"), (0.05, "contradicted")])
def test_a_wider_network_is_judged_against_dense_with_a_margin_of_a_point(lost, verdict, tmp_path):
    found = trained(tmp_path, lost)
    rows = claims.judge(found)
    first = rows.iloc[0]
    assert (first["kind"], first["verdict"], first["n"]) == ("finding", verdict, 5)
    assert first["estimate"] == pytest.approx(-100 * lost, abs=0.15)
    assert "2 times the width and 90 % sparsity" in first["claim"] and "asks for 9.5 times" in first["claim"]
    gap = found.gaps.set_index("cell")
    assert gap.loc["wide, 90 %", ["width", "asked", "weights_ratio"]].tolist() == pytest.approx(
        [2, 9.4912, 0.4], rel=1e-3
    )
    assert gap.loc["wider, 50 %", "mean"] == pytest.approx(0.02, abs=0.002)
    assert claims.FOLLOWS[verdict] in claims.write_abstract(found, verdict).data
    checks = rows[rows["kind"] == "check"]
    assert len(checks) == 9 and set(checks["verdict"]) <= {"supported", "contradicted", "undecided"}
    assert claims.FOLLOWS[verdict] in claims.write_what_follows(found, rows).data


def test_few_runs_decide_nothing(tmp_path):
    found = trained(tmp_path, 0.0, n=2)
    assert claims.judge(found)["verdict"].iloc[:2].tolist() == ["not tested"] * 2
    assert drawn.draw_practice(found) is None and "too few runs" in claims.write_abstract(found, "not tested").data


def test_figures_say_what_they_draw(tmp_path):
    found = trained(tmp_path, 0.05)
    figure, caption, _ = drawn.draw_practice(found)
    (ax,) = figure.axes
    assert list(ax.containers[0].lines[0].get_xdata()) == pytest.approx(found.gaps["mean"].tolist())
    ends = [segment[:, 0] for segment in ax.containers[0].lines[2][0].get_segments()]
    assert ends == [pytest.approx(np.clip(pair, *ax.get_xlim())) for pair in found.gaps[["low", "high"]].to_numpy()]
    assert "×2 wide, asked: ×9.5" in ax.get_yticklabels()[0].get_text()
    row = found.gaps.iloc[0]
    assert f"{format_points(row['mean'])} {format_interval(row['low'], row['high'])} at 2 times the width" in caption
    shown = drawn.draw_containment(found)
    assert set(shown.data["event"]) == {"every copy"} and "n = 50 sources" in shown.caption
    assert drawn.draw_tickets(found).data["target"].nunique() == 2
    assert "95 % of the sources" in drawn.draw_widths(found).caption


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: predictions.round_to_grid(1.0), "sparsity 1.0 of a random source: it must be above 0 and below 1"),
        (lambda: theory_runs.width_factor(0), "the width factor of sparsity 0"),
        (lambda: predictions.probability(ONE, 0, 0.5), "0 copies of each neuron"),
        (lambda: predictions.sufficient_copies(ONE, 0.5, 0), "probability of failure 0: it must be above 0"),
        (lambda: predictions.draw_target([2, 0, 1], 0), "each layer needs one neuron"),
        (lambda: predictions.draw_target([2, 1], 0), "a target of 1 layers: it needs 2 at least"),
        (lambda: target([[1.0, 1.0]], [[1.0, 1.0]]), "target layer 2 has weights \\(1, 2\\)"),
        (lambda: subset_sums.survey([0.5], [4], 5, 0.0, 0), "an interval of 0.0: it must be positive"),
        (lambda: subset_sums.survey([0.0], [4], 5, 1.0, 0), "density 0.0 of a source: it must be above 0"),
        (lambda: subset_sums.survey([0.5], [30], 5, 1.0, 0), "subset sums of 30 values: choose from 1 to 24"),
        (lambda: theory_runs.cells({**PARAMETERS, "dense": "wide, 90 %"}), "a cell of dense networks"),
        (lambda: theory_runs.cells({**PARAMETERS, "wider": ["dense"]}), "width factor of sparsity 0"),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises(StudyError, match=message) as raised:
        call()
    assert "\n" not in str(raised.value)
