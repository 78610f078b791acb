"""Campaigns: cells in order, rates chosen on validation, networks crossed with orders."""

from __future__ import annotations

import itertools
import math
import re

import pytest

from conftest import REPOSITORY
from made_up import record_of
from randsparse.comparison.campaign import FORK_SEEDS, Campaign, Networks, Rates
from randsparse.data import catalogue
from randsparse.errors import StudyError
from randsparse.networks.registry import shapes
from randsparse.runs import flops
from randsparse.runs.config import RunConfig
from randsparse.runs.feasibility import allocate
from randsparse.runs.store import Store
from randsparse.study import campaign, command_line
from randsparse.study.profile import Study

CAMPAIGN = """\
recipe: {dataset: digits, train_samples: 128, epochs: 2, batch_size: 64}
parts:
  A:
    "rate": {rates: [0.1, 0.2, 0.4], seeds: 2, first_seed: 1000, sparsity: 0.5, structure: node}
    "nodes": {rate_of: rate, networks: 4, orders: 2, first_seed: 2000, sparsity: 0.5, structure: node}
  B:
    "some": {rate_of: rate, networks: 4, orders: 2, crossed: false, first_seed: 3000, evaluated: 3}
    "rate of B": {rates: [0.1, 0.2], first_seed: 4000}
    "last": {rate_of: rate of B, networks: 2, first_seed: 5000}
"""


@pytest.fixture
def write(root):
    def written(text: str = CAMPAIGN) -> Campaign | None:
        folder = root / "notebooks" / "profiles" / "mine"
        folder.mkdir(exist_ok=True)
        (folder / "campaign.yaml").write_text(text)
        return campaign.load("mine", root)

    return written


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results")


def put(store: Store, configs, accuracy=lambda config: 0.5) -> None:
    for config in configs:
        record = record_of(config)
        record["curve"][-1]["val_accuracy"] = accuracy(config)
        store.put(record)


def best_at(rate: float):
    return lambda config: 0.9 if config.lr == rate else 0.5


def test_cells_follow_in_order_and_wait_for_their_rates(write, store):
    found = write()
    first = found.needed(store)
    assert [(c.lr, c.mask_seed, c.init_seed, c.data_seed) for c in first] == [
        (lr, seed, seed, seed) for lr in (0.1, 0.2, 0.4) for seed in (1000, 1001)
    ]
    put(store, first, best_at(0.2))
    second = found.needed(store)
    nodes, some, rates = second[:8], second[8:12], second[12:]
    assert {config.lr for config in nodes + some} == {0.2}
    assert {(c.mask_seed, c.data_seed) for c in nodes} == set(itertools.product(range(2000, 2004), (2500, 2501)))
    assert all(c.init_seed == c.mask_seed and (c.structure, c.sparsity) == ("node", 0.5) for c in nodes)
    assert [(c.init_seed, c.data_seed) for c in sorted(some, key=lambda c: c.init_seed)] == [
        (3000, 3500),
        (3001, 3501),
        (3002, 3500),
        (3003, 3501),
    ]
    assert [config.lr for config in rates] == [0.1, 0.2]
    put(store, second, best_at(0.2))
    assert [config.lr for config in found.needed(store)] == [0.4]  # .2 was the edge of that grid
    put(store, found.needed(store))
    assert [(c.init_seed, c.data_seed, c.lr) for c in found.needed(store)] == [(5000, 5500, 0.2), (5001, 5500, 0.2)]
    put(store, found.needed(store))
    assert found.needed(store) == []


@pytest.mark.parametrize(
    "best, grid",
    [
        (0.2, [0.1, 0.2, 0.4]),
        (0.4, [0.1, 0.2, 0.4, 0.8]),
        (0.1, [0.05, 0.1, 0.2, 0.4]),
        (99, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]),  # each rate beyond the edge is better: the grid ends all the same
    ],
)
def test_an_optimum_at_the_edge_extends_the_grid(write, store, best, grid):
    rates = write().cells[0]
    accuracy = best_at(best) if best < 99 else lambda config: config.lr / 10
    while missing := [config for config in rates.wanted(store) if not store.has(config)]:
        assert rates.chosen(store) is None
        put(store, missing, accuracy)
    assert sorted({config.lr for config in rates.wanted(store)}) == pytest.approx(grid)
    assert rates.chosen(store) == pytest.approx(best if best < 99 else grid[-1])


def test_a_fixed_rate_waits_for_no_other(write, store):
    found = write(CAMPAIGN.replace("rate_of: rate of B", "lr: 0.3"))
    assert [config.lr for config in found.cells[-1].wanted(store)] == [0.3, 0.3]
    assert [cell.name for cell in found.of(["B"]).cells] == ["rate", "some", "rate of B", "last"]


def test_a_cell_can_have_the_networks_and_orders_of_another(write, store):
    paired = '    "other": {rate_of: rate, seeds_of: some, rule: uniform, sparsity: 0.5}\n'
    found = write(CAMPAIGN + paired)
    put(store, found.needed(store), best_at(0.2))
    some, other = (next(cell for cell in found.cells if cell.name == name) for name in ("some", "other"))
    seeds = [[(c.mask_seed, c.init_seed, c.data_seed) for c in cell.wanted(store)] for cell in (some, other)]
    assert [pair[1:] for pair in seeds[0]] == [pair[1:] for pair in seeds[1]] and len(seeds[1]) == 4
    assert {config.rule for config in other.wanted(store)} == {"uniform"}
    for change, error in (
        (("seeds_of: some", "seeds_of: rate"), "unknown seeds_of"),
        (("seeds_of: some", "seeds_of: some, networks: 3"), "networks=3 is not possible"),
    ):
        with pytest.raises(StudyError, match=error):
            write(CAMPAIGN + paired.replace(*change))


def test_orders_and_scored_weights_can_have_seeds_of_their_own(write, store):
    own = (
        '    "same": {lr: 0.1, first_seed: 0, first_order: 0, networks: 3, orders: 3, crossed: false}\n'
        '    "mask": {lr: 0.1, seeds_of: same, sparsity: 0.5, rule: snip, criterion: snip, score_init_seed: 1000}\n'
    )
    cells = {cell.name: cell for cell in write(CAMPAIGN + own).cells}
    assert [(c.init_seed, c.data_seed) for c in cells["same"].wanted(store)] == [(0, 0), (1, 1), (2, 2)]
    seeds = [(c.init_seed, c.score_init_seed, c.data_seed) for c in cells["mask"].wanted(store)]
    assert seeds == [(0, 1000, 0), (1, 1001, 1), (2, 1002, 2)]
    with pytest.raises(StudyError, match="cells some and same share the seed 3000"):
        write(CAMPAIGN + own.replace("first_order: 0", "first_order: 3000"))
    with pytest.raises(StudyError, match="first_order=-1 is not possible"):
        write(CAMPAIGN + own.replace("first_order: 0", "first_order: -1"))


def test_a_part_brings_the_rates_that_it_needs(write, store):
    found = write()
    assert [cell.name for cell in found.of(["B"]).cells] == ["rate", "some", "rate of B", "last"]
    assert [cell.name for cell in found.of(["A"]).cells] == ["rate", "nodes"]
    with pytest.raises(StudyError, match="^unknown part 'C': choose one of A, B$"):
        found.of(["A", "C"])


def test_evaluated_networks_are_spread_over_the_orders(write, store):
    found = write()
    assert found.to_evaluate(store) == []
    put(store, found.needed(store), best_at(0.2))
    assert found.to_evaluate(store) == []  # they are not trained yet
    put(store, found.needed(store))
    assert [(c.init_seed, c.data_seed) for c in found.to_evaluate(store)] == [(3000, 3500), (3001, 3501), (3002, 3500)]


@pytest.mark.parametrize(
    "change, error",
    [
        (("first_seed: 3000", "first_seed: 2002"), "cells nodes and some share the seed 2002: give another first_seed"),
        (("first_seed: 3000", "first_seed: 1500"), "cells nodes and some share the seed 2000"),
        (("first_seed: 3000", "first_seed: 2500"), "cells nodes and some share the seed 2500"),
        (("rate_of: rate of B", "rate_of: rat"), "part B, cell last: unknown rate_of .* 'rat': choose one of rate, "),
        (("networks: 4", "networks: 0"), "networks=0 is not possible"),
        (("networks: 4", "networks: true"), "networks=True is not possible"),
        (("evaluated: 3", "evaluated: 5"), r"evaluated=5 is not possible: .* at most the number of networks \(4\)"),
        (("crossed: false", "crossed: 3"), "crossed=3 is not possible"),
        (("[0.1, 0.2]", "[0.2, 0.1]"), "rates=.* increasing numbers above 0"),
        (("[0.1, 0.2]", "[]"), "rates=.* increasing numbers above 0"),
        (("evaluated: 3", "evaluate: 3"), "unknown name in a cell 'evaluate'"),
        (("evaluated: 3", "lr: 0.1"), "a cell must have one of rates"),
        (("rate_of: rate, networks: 4, orders: 2, c", "networks: 4, orders: 2, c"), "must have one of rates"),
        (("evaluated: 3", "data_seed: 1"), "data_seed=1 is not possible"),
        (("evaluated: 3", "fork_epoch: 1, fork_seed: 1"), "fork_seed=1 is not possible"),
        (("evaluated: 3", "fork_epoch: 2"), r"cell some: fork_epoch=2 .* below epochs \(2\)"),
        (("evaluated: 3", "model: wrn"), "cell some: unknown model 'wrn'"),
        (("epochs: 2", "epoch: 2"), "unknown name in recipe 'epoch'"),
        (("recipe:", "evaluations_of: no\nrecipe:"), "unknown profile of evaluations_of False"),
        ((", first_seed: 5000", ""), "cell last: first_seed=None is not possible"),
        (("recipe:", "recipe: ["), "is not YAML"),
        ((CAMPAIGN, ""), "the file must hold lines"),
    ],
)
def test_a_wrong_file_is_one_line(write, change, error):
    with pytest.raises(StudyError, match=f"^notebooks/profiles/mine/campaign.yaml:? .*{error}"):
        write(CAMPAIGN.replace(*change))


@pytest.fixture
def study(root, write, store):
    write()
    said: list[str] = []
    return Study("mine", root, store.root, root / "data", 1, said.append), said


def test_it_is_trained_to_its_end_and_goes_on_where_it_was(study, monkeypatch):
    study, said = study
    found = campaign.load("mine", study.root)
    trained: list[RunConfig] = []

    def fake(configs, **options):
        (config,) = configs
        trained.append(config)
        assert options["weights_root"] == study.store.root  # final weights are kept, so that runs can be evaluated
        if len(trained) == 10:
            raise KeyboardInterrupt
        record = record_of(config)
        record["curve"][-1]["val_accuracy"] = best_at(0.2)(config)
        return [record]

    monkeypatch.setattr("randsparse.training.train.train_together", fake)
    with pytest.raises(KeyboardInterrupt):
        campaign.train(study, found)
    assert campaign.train(study, found) is True
    interrupted = trained.pop(9)
    assert len(set(trained)) == len(trained) == 6 + 8 + 4 + 3 + 2 and interrupted in trained
    again = len(trained)
    assert campaign.train(study, found) is True and len(trained) == again


def test_status_says_what_there_is_of_each_cell(study):
    study, said = study
    found = campaign.load("mine", study.root)
    put(study.store, found.needed(study.store)[:5], best_at(0.2))
    campaign.show(study, found)
    rows = [line.split("  ") for line in said]
    numbers = [[part.strip() for part in row if part.strip()] for row in rows]
    assert [(row[:5]) for row in numbers[1:]] == [
        ["A", "rate", "5", "1", "0"],
        ["A", "nodes", "0", "8", "0"],
        ["B", "some", "0", "4", "0"],
        ["B", "rate of B", "0", "2", "0"],
        ["B", "last", "0", "2", "0"],
        ["all", "5", "17", "0", numbers[-1][4]],
    ]
    assert all("unknown" in line for line in said[1:])  # no run of the store says how long it took
    put(study.store, found.needed(study.store), best_at(0.2))
    campaign.show(study, found)
    assert said[8].endswith("chosen: 0.2")


def test_commands_for_notebooks_refuse_a_campaign(root, write, monkeypatch, capsys):
    write()
    monkeypatch.chdir(root)
    for command in ("all", "notebooks", "html"):
        assert command_line.main([command, "--profile", "mine"]) == 2
        assert "is a campaign and has no notebooks: use runs, status, merge" in capsys.readouterr().err
    assert command_line.main(["status", "--profile", "tiny", "--part", "A"]) == 2
    assert "--part is of no use to the profile tiny" in capsys.readouterr().err


def test_the_campaign_for_a_gpu_has_the_published_recipe(store):
    found = campaign.load("cifar10", REPOSITORY)
    published = [cell for cell in found.cells if cell.part == "D"]
    assert [(cell.point.model, cell.point.sparsity) for cell in published] == [
        (model, sparsity) for model in ("resnet-20", "resnet-56") for sparsity in (0.0, 0.5, 0.8, 0.9)
    ]
    for cell in published:
        runs = cell.planned(store)
        assert len({(c.mask_seed, c.init_seed, c.data_seed) for c in runs}) == 5 == len({c.data_seed for c in runs})
        recipe = (cell.point.epochs, cell.point.batch_size, cell.point.schedule, cell.point.warmup_epochs)
        assert recipe == (160, 128, "step", 0) and {run.lr for run in runs} == {0.1}
    assert {cell.point.epochs for cell in found.cells if cell.part == "A"} == {60}


@pytest.mark.parametrize("profile", ["campaign", "campaign-digits"])
def test_the_campaigns_of_this_study_have_the_cells_that_were_fixed_beforehand(profile, store):
    found = campaign.load(profile, REPOSITORY).of(["A", "B"])
    longer = {"campaign": "28", "campaign-digits": "14"}[profile]
    crossed = [cell.name for cell in found.cells if isinstance(cell, Networks) and cell.crossed]
    early = {"campaign": 2, "campaign-digits": 1}[profile]
    cooled = [f"nodes 80 %, cooled after epoch {early}", f"dense, cooled after epoch {early}"]
    assert crossed == ["nodes 80 %", "dense", "nodes 40 %", "nodes 90 %", "nodes 60 %", *cooled, "nodes 20 %"]
    cells = {cell.name: cell for cell in found.cells}
    for name in cooled:
        ordinary = cells[name.partition(",")[0]]
        changes = {"cooldown_epoch": early, "cooldown_epochs": 1.0}
        assert cells[name].planned(store) == [run.replace(**changes) for run in ordinary.planned(store)]
    alone = [(cell.name, cell.point.epochs) for cell in found.cells if isinstance(cell, Networks) and not cell.crossed]
    assert [name for name, _ in alone] == [
        f"nodes 80 %, {longer} epochs",
        f"nodes 90 %, {longer} epochs",
        "small dense, nodes 80 %",
        "ERK 80 %",
        "small dense, weights 80 %",
        "small dense, weights 60 %",
    ]
    assert [epochs for _, epochs in alone[:2]] == [int(longer)] * 2
    for cell in found.cells:
        runs = cell.planned(store)
        assert len(set(runs)) == len(runs) == (6 if isinstance(cell, Rates) else cell.networks * (1 + cell.crossed))
        percent = re.search(r"(\d+) %", cell.name)
        sparsity = int(percent[1]) / 100 if percent else 0
        assert cell.point.sparsity == pytest.approx(sparsity)


@pytest.mark.parametrize(("profile", "sizes"), [("campaign", 5), ("campaign-digits", 3)])
def test_narrow_networks_of_equal_flops_have_those_of_the_sparse_ones(profile, sizes):
    cells = {cell.name: cell for cell in campaign.load(profile, REPOSITORY).cells}
    narrow = [name for name in cells if "equal FLOPs" in name]
    assert len(narrow) == sizes
    for name in narrow:
        sparse = cells[name.replace("narrow dense, equal FLOPs", "ERK 80 %")].point
        parent = shapes(sparse.model, *catalogue.shape(sparse.dataset))
        counts = allocate(sparse, parent)
        kept = {layer: counts[layer] / math.prod(shape) for layer, shape in parent.items()}
        wanted = flops.count_kept(flops.count_for_config(sparse), kept)
        found = sum(flops.count_for_config(cells[name].point).values())
        assert found == pytest.approx(wanted, rel=0.06), name  # of whole nodes
        assert cells[name].networks == cells[name.replace("equal FLOPs", "equal weights")].networks


def test_part_c_has_ten_replicates_and_its_pairs_share_their_seeds(store):
    cells = {cell.name: cell for cell in campaign.load("campaign", REPOSITORY).cells if cell.part == "C"}
    runs = {name: cell.planned(store) for name, cell in cells.items() if isinstance(cell, Networks)}
    for name, own in runs.items():
        expected = 5 if name.endswith("n = 5") else 16 if name.startswith("ResNet-20") else 10
        assert len(set(own)) == expected, name
        assert {(c.dataset, c.train_samples, c.epochs, c.batch_size) for c in own} == {("cifar10", 20000, 8, 64)}
    pairs = {
        "small, SNIP mask 98 %": "small, SNIP shuffled 98 %",
        "small, GMP 98 %, from dense": "small, GMP 98 %, in a source",
        "small, RigL 90 %, from dense": "small, RigL 90 %, in a source",
        "small, ticket 95 %, of dense": "small, ticket 95 %, of random",
    }
    for one, other in pairs.items():
        seeds = [[(c.init_seed, c.data_seed) for c in runs[name]] for name in (one, other)]
        assert seeds[0] == seeds[1]
        assert not set(runs[one]) & set(runs[other]), "a pair differs in something"


def test_the_first_runs_on_cifar_10_are_in_the_repository():
    store = Store(REPOSITORY / "results")
    runs = [run for cell in campaign.load("campaign-first", REPOSITORY).cells for run in cell.planned(store)]
    assert len(set(runs)) == 300 and all(store.has(run) for run in runs)
    assert {run.init_seed for run in runs} == {run.data_seed for run in runs} == {0, 1, 2}


@pytest.mark.parametrize("profile, epochs", [("campaign", (0, 1, 2, 4)), ("campaign-digits", (0, 1, 2, 5))])
def test_part_f_forks_each_network_at_several_epochs(profile, epochs, store):
    cells = {cell.name: cell for cell in campaign.load(profile, REPOSITORY).cells if cell.part == "F"}
    prefix = {"campaign": "small, ", "campaign-digits": ""}[profile]
    forks = set()
    for name, sparsity in (("dense", 0.0), ("nodes 80 %", 0.8)):
        bases = cells[f"{prefix}{name}, not forked"].planned(store)
        assert len(bases) == 4 == len({run.data_seed for run in bases}) and {run.fork_seed for run in bases} == {None}
        assert {run.sparsity for run in bases} == {sparsity}
        for epoch in epochs:
            forked = cells[f"{prefix}{name}, forked after epoch {epoch}"].planned(store)
            expected = [run.replace(fork_epoch=epoch, fork_seed=run.data_seed + FORK_SEEDS) for run in bases]
            assert forked == expected
            forks |= {run.fork_seed for run in forked}
    orders = {run.data_seed for cell in campaign.load(profile, REPOSITORY).cells for run in cell.planned(store)}
    assert len(forks) == 8 and not forks & orders
    ordinary = [cell for cell in cells.values() if "forked after" not in cell.name]
    assert len(cells) - len(ordinary) == 2 * len(epochs)


def test_the_seeds_of_forks_belong_to_their_cell(write, store):
    forked = '    "fork": {rate_of: rate, seeds_of: some, fork_epoch: 0, sparsity: 0.5}\n'
    found = write(CAMPAIGN + forked)
    put(store, found.needed(store), best_at(0.2))
    runs = found.cells[-1].wanted(store)
    assert [(c.init_seed, c.data_seed, c.fork_seed, c.fork_epoch) for c in runs] == [
        (3000, 3500, 3750, 0),
        (3002, 3500, 3750, 0),
        (3001, 3501, 3751, 0),
        (3003, 3501, 3751, 0),
    ]
    with pytest.raises(StudyError, match="cells some and last share the seed 3751"):
        write(CAMPAIGN.replace("first_seed: 5000", "first_seed: 3751"))


def test_a_recipe_of_a_part_comes_on_top(write, store):
    found = write(CAMPAIGN.replace("  B:\n", "  B:\n    recipe: {epochs: 3, batch_size: 32}\n"))
    shown = {(cell.part, cell.point.epochs, cell.point.batch_size, cell.point.train_samples) for cell in found.cells}
    assert shown == {("A", 2, 64, 128), ("B", 3, 32, 128)}
    with pytest.raises(StudyError, match="unknown name in recipe of part B 'epoch'"):
        write(CAMPAIGN.replace("  B:\n", "  B:\n    recipe: {epoch: 3}\n"))
