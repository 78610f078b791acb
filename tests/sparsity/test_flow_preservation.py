"""Flow preservation: no unit alone, as many weights as without it, and the plain mask wherever that will do."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch

from randsparse.data import catalogue
from randsparse.data.dataset import load
from randsparse.errors import StudyError
from randsparse.networks import registry
from randsparse.runs.config import RunConfig
from randsparse.runs.feasibility import allocate_changing, explain_infeasible
from randsparse.sparsity import densities, flow_preservation
from randsparse.sparsity.masks import Mask, draw, draw_inside
from randsparse.training import train as training
from randsparse.training.engines import programs
from randsparse.training.network import create

SHAPE = catalogue.shape("digits")
MODELS = ("wrn-10-1", "wrn-16-1", "resnet-20")
DENSITIES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
SHAPES = {"stem.weight": (16, 3, 3, 3), "conv.weight": (16, 16, 3, 3), "classifier.weight": (10, 16)}
FLOORS = {"stem.weight": 16, "conv.weight": 16, "classifier.weight": 16}
GOLDEN = "d359d26d96e6"


def nobody_alone(kept) -> bool:
    edges = torch.as_tensor(kept).flatten(2).any(2) if kept.ndim > 2 else torch.as_tensor(kept)
    return bool(edges.any(0).all() and edges.any(1).all())


def all_connected(mask: Mask) -> bool:
    return all(nobody_alone(kept) for kept in mask.values())


def feasible(model: str, rule: str, density: float) -> RunConfig | None:
    config = RunConfig(model=model, sparsity=round(1 - density, 12), rule=rule, preserve_flow=True)
    return None if explain_infeasible(config, *SHAPE) else config


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("model", MODELS)
def test_every_rule_keeps_its_total_and_leaves_no_unit_alone(model, density):
    shapes = registry.shapes(model, *SHAPE)
    size, floor = sum(map(math.prod, shapes.values())), flow_preservation.floors(shapes)
    for rule in densities.RULES:
        if config := feasible(model, rule, density):
            net = create(config, *SHAPE)
            assert net.mask.nnz == round(density * size) == net.density["weights"], rule
            assert all(net.mask.counts[name] >= floor[name] for name in shapes), rule
            assert all_connected(net.mask), rule
            assert net.density["effective"] == net.density["realised"], rule
        else:
            plain = RunConfig(model=model, sparsity=round(1 - density, 12), rule=rule)
            assert explain_infeasible(plain, *SHAPE) or sum(floor.values()) > round(density * size)


def test_sparse_networks_are_among_those():
    assert {density for density in DENSITIES if feasible("resnet-20", "erk", density)} == set(DENSITIES)
    assert feasible("wrn-10-1", "balanced", 0.01) and not feasible("wrn-10-1", "balanced", 0.005)


@pytest.mark.parametrize("seed", range(20))
def test_at_the_floor_a_mask_has_as_few_edges_as_can_be(seed):
    counts = FLOORS | {"conv.weight": 16 + seed}
    mask = draw(SHAPES, counts, seed, preserve_flow=True)
    assert mask.counts == counts and all_connected(mask)
    assert not all_connected(draw(SHAPES, FLOORS, seed))


def test_layers_where_nobody_is_alone_keep_their_weights_bit_for_bit():
    alike = 0
    for share in (0.02, 0.05, 0.1, 0.3, 1.0):
        counts = {name: max(FLOORS[name], round(share * math.prod(shape))) for name, shape in SHAPES.items()}
        for seed in range(10):
            plain, preserved = (draw(SHAPES, counts, seed, preserve_flow=keep) for keep in (False, True))
            for name in SHAPES:
                assert torch.equal(plain[name], preserved[name]) == nobody_alone(plain[name])
                alike += nobody_alone(plain[name])
    assert 10 < alike < 150


def test_the_repair_is_small():
    counts = {"conv.weight": 60}
    for seed in range(20):
        plain, preserved = (
            draw({"conv.weight": (16, 16, 3, 3)}, counts, seed, preserve_flow=keep)["conv.weight"]
            for keep in (False, True)
        )
        edges = plain.flatten(2).any(2)
        alone = max(int((~edges.any(0)).sum()), int((~edges.any(1)).sum()))
        assert (preserved & ~plain).sum() == alone == (plain & ~preserved).sum()


def test_a_mask_with_flow_depends_on_seed_and_names_only():
    mask = draw(SHAPES, FLOORS, 3, preserve_flow=True)
    torch.rand(3)
    assert draw(dict(reversed(SHAPES.items())), FLOORS, 3, preserve_flow=True) == mask
    assert draw(SHAPES, FLOORS, 4, preserve_flow=True) != mask
    assert mask.digest[:12] == GOLDEN


def test_what_is_added_is_drawn_evenly():
    """Where one edge is left and all others are added, each matching of the other rows and columns is as likely."""
    random, kept = np.random.default_rng(0), np.zeros((4, 4, 4), dtype=bool)
    kept[0, 0] = True
    drawn = (flow_preservation.repair(random.random(kept.shape), kept) for _ in range(600))
    seen = Counter(tuple(each.any(2).argmax(1).tolist()) for each in drawn)
    assert len(seen) == 6 and all(abs(count - 100) < 45 for count in seen.values())


def test_by_hand_one_edge_serves_an_empty_row_and_an_empty_column():
    scores = np.array([[0.1, 0.2, 0.9], [0.3, 0.4, 0.8], [0.6, 0.5, 0.7]])
    repaired = flow_preservation.repair(scores, scores < 0.45)  # the last row and column are empty
    assert repaired.tolist() == [[True, True, False], [True, False, False], [False, False, True]]  # .4 had others


def test_by_hand_of_an_empty_row_the_lowest_score_is_kept():
    scores = np.array([[[0.1, 0.2], [0.3, 0.4]], [[0.9, 0.6], [0.8, 0.7]]])
    repaired = flow_preservation.repair(scores, scores < 0.35)
    assert np.argwhere(repaired).tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 1]]  # .2 was beside .1


def test_by_hand_stars_give_an_end_each_where_no_weight_can_go():
    """Row 0 with columns 0 to 2, column 3 with rows 1 to 3: six stars' edges, and row 4 needs a seventh."""
    scores = np.full((5, 4), 0.99)
    scores[0, :3] = 0.1, 0.2, 0.3
    scores[1:4, 3] = 0.15, 0.25, 0.35
    scores[4] = 0.7, 0.6, 0.9, 0.8
    scores[3, 2] = 0.5
    repaired = flow_preservation.repair(scores, scores < 0.4)
    # Row 4 gets .6 at column 1, which makes .2 removable: its row and its column have others.
    assert np.argwhere(repaired).tolist() == [[0, 0], [0, 2], [1, 3], [2, 3], [3, 3], [4, 1]]
    scores[4] = 0.9, 0.9, 0.9, 0.6
    repaired = flow_preservation.repair(scores, scores < 0.4)
    # Row 4 gets .6 at column 3: each weight is the last of its row or column. Ends (0, 2) and (4, 3), of the highest
    # scores, give way to (4, 2).
    assert np.argwhere(repaired).tolist() == [[0, 0], [0, 1], [1, 3], [2, 3], [3, 3], [4, 2]]


@pytest.mark.parametrize("rows, columns, kernel", [(1, 1, 1), (1, 7, 1), (7, 1, 2), (3, 5, 1), (6, 6, 1), (9, 4, 3)])
def test_any_mask_of_enough_weights_can_be_repaired(rows, columns, kernel):
    random = np.random.default_rng(0)
    size = rows * columns * kernel
    for count in range(max(rows, columns), size + 1):
        for _ in range(10):
            scores = random.random((rows, columns, kernel)).astype(np.float32)
            for order in (np.arange(size), np.argsort(scores, axis=None)):  # all in a corner, and by score
                kept = np.zeros(size, dtype=bool)
                kept[order[:count]] = True
                repaired = flow_preservation.repair(scores, kept.reshape(scores.shape))
                assert repaired.sum() == count and nobody_alone(repaired)


def test_by_hand_counts_below_the_floor_get_it_in_proportion_to_what_others_have_above():
    counts = {"stem.weight": 10, "conv.weight": 116, "classifier.weight": 66}
    assert flow_preservation.lift(SHAPES, counts) == {"stem.weight": 16, "conv.weight": 112, "classifier.weight": 64}
    plenty = {"stem.weight": 16, "conv.weight": 17, "classifier.weight": 160}
    assert flow_preservation.lift(SHAPES, plenty) == plenty
    assert flow_preservation.lift(SHAPES, {"stem.weight": 1, "conv.weight": 1, "classifier.weight": 46}) == FLOORS


def test_infeasible_names_the_smallest_density_that_works():
    config = RunConfig(sparsity=0.999, rule="balanced", preserve_flow=True)
    assert explain_infeasible(config.replace(preserve_flow=False), *SHAPE) is None
    why = explain_infeasible(config, *SHAPE)
    assert why.startswith("77 of 77072 weights cannot preserve flow: the units of the 10 layers need 400; ")
    low = float(why.split("from ")[1].split()[0])
    with pytest.raises(StudyError, match="cannot preserve flow.*choose a density from 0.00"):
        create(config, *SHAPE)
    assert explain_infeasible(config.replace(sparsity=round(1 - low, 12)), *SHAPE) is None
    assert explain_infeasible(config.replace(sparsity=round(1 - low + 2e-5, 12)), *SHAPE)
    scored = config.replace(rule="magnitude")
    assert explain_infeasible(scored, *SHAPE) == why
    dynamic = RunConfig(sparsity=0.9995, method="rigl", source_sparsity=0.999, source_rule="er", preserve_flow=True)
    assert explain_infeasible(dynamic, *SHAPE) == why
    assert explain_infeasible(dynamic.replace(preserve_flow=False), *SHAPE) is None


def test_draws_that_cannot_preserve_flow_are_refused():
    with pytest.raises(StudyError, match="15 weights of 'stem.weight' leave units without edges: keep 16"):
        draw(SHAPES, FLOORS | {"stem.weight": 15}, 0, preserve_flow=True)
    with pytest.raises(StudyError, match="kind 'fan_in' cannot preserve flow: choose 'exact'"):
        draw(SHAPES, FLOORS, 0, "fan_in", preserve_flow=True)


def test_counts_by_scores_and_custom_densities_preserve_flow_too():
    for changes in (dict(rule="magnitude"), dict(rule="custom", layer_densities={"classifier.weight": 0.01})):
        config = RunConfig(sparsity=0.98, preserve_flow=True, **changes)
        net, plain = create(config, *SHAPE), create(config.replace(preserve_flow=False), *SHAPE)
        assert all_connected(net.mask) and not all_connected(plain.mask) and net.mask.nnz == plain.mask.nnz


def test_a_mask_inside_a_plain_source_is_the_one_that_is_drawn_alone():
    many = {"stem.weight": 100, "conv.weight": 700, "classifier.weight": 160}
    few = {"stem.weight": 100, "conv.weight": 61, "classifier.weight": 0}
    assert draw_inside(draw(SHAPES, many, 5), few, 5) == draw(SHAPES, few, 5)
    with pytest.raises(StudyError, match="cannot keep 101 weights of 'stem.weight': its source has 100"):
        draw_inside(draw(SHAPES, many, 5), few | {"stem.weight": 101}, 5)


@pytest.mark.parametrize("method", ["set", "rigl", "granet", "gmp", "imp", "str", "edge-popup"])
def test_sources_preserve_flow_and_contain_the_first_mask(method):
    config = RunConfig(sparsity=0.985, method=method, source_sparsity=0.98, source_rule="er", preserve_flow=True)
    net, plain = create(config, *SHAPE), create(config.replace(preserve_flow=False), *SHAPE)
    size = plain.source.size
    assert net.source.nnz == plain.source.nnz == round(0.02 * size) and net.mask.nnz == plain.mask.nnz
    assert all_connected(net.source) and not all_connected(plain.source)
    assert all((net.mask[name] <= net.source[name]).all() for name in net.source)
    shapes = {name: tuple(kept.shape) for name, kept in net.source.items()}
    assert (net.source.counts, net.mask.counts) == allocate_changing(config, shapes)


@pytest.mark.parametrize(
    "changes", [dict(method="set"), dict(method="rigl"), dict(method="granet", start_sparsity=0.98)]
)
def test_first_masks_inside_a_dense_network_preserve_flow(changes):
    config = RunConfig(sparsity=0.98, rule="uniform", preserve_flow=True, **changes)
    net, plain = create(config, *SHAPE), create(config.replace(preserve_flow=False), *SHAPE)
    assert all_connected(net.mask) and not all_connected(plain.mask)
    assert net.mask.nnz == plain.mask.nnz == round(0.02 * net.source.size) and net.source.density == 1


TINY = dict(train_samples=256, batch_size=64, epochs=1, warmup_epochs=0, preserve_flow=True)


def test_a_run_with_flow_trains_at_the_exact_density():
    config = RunConfig(sparsity=0.98, **TINY)
    record = training.train(config)
    shapes = registry.shapes("wrn-10-1", *SHAPE)
    size = sum(map(math.prod, shapes.values()))
    assert record["status"] == "done" and record["config"]["preserve_flow"] is True
    assert record["density"]["weights"] == round(0.02 * size)
    assert record["density"]["realised"] == record["density"]["effective"] == round(0.02 * size) / size


def test_rigl_stays_in_a_source_with_flow():
    config = RunConfig(
        **TINY
        | dict(epochs=3, update_interval=3, sparsity=0.985, method="rigl", source_sparsity=0.98, source_rule="er")
    )
    run = training.prepare([config], load("digits", None, 256))
    source, first = run.method.source, run.method.mask
    assert all_connected(source)
    for _ in range(config.epochs):
        run.train_epoch()
    mask = run.method.mask
    assert mask != first and mask.nnz == first.nnz
    assert all((mask[name] <= source[name]).all() for name in source)


def test_runs_with_flow_and_without_share_a_program():
    config = RunConfig(sparsity=0.98, engine="batched")
    assert programs.find_shared_program(config) == programs.find_shared_program(config.replace(preserve_flow=True))
