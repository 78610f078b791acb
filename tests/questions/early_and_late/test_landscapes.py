"""Lines, distances and sharpness: known values of small functions, and what must hold of trained networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from randsparse.errors import StudyError
from randsparse.questions.early_and_late import weight_space
from randsparse.questions.early_and_late.landscapes import Line, Sharpness, find_unforked
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store
from randsparse.sweeps import final_weights, measuring

RUN = RunConfig(train_samples=256, batch_size=32, epochs=3, sparsity=0.5, structure="node", precision="float64")
PLACE = {"workers": 1, "progress": False}


def symmetric(eigenvalues: list[float]) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    q, _ = torch.linalg.qr(torch.randn(len(eigenvalues), len(eigenvalues), generator=random, dtype=torch.float64))
    return q @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ q.T


def sharpness_of_quadratic(matrix: torch.Tensor, at: torch.Tensor) -> float:
    x = [part.clone().requires_grad_(True) for part in at.split([4, len(at) - 4])]

    def losses():
        for share in (0.25, 0.75):
            whole = torch.cat(x)
            yield share * whole @ matrix @ whole / 2

    start = torch.ones(len(at), dtype=torch.float64)
    return weight_space.largest_eigenvalue(losses, x, 1e-6, start)[0]


def test_the_sharpness_of_a_quadratic_is_its_largest_eigenvalue_and_not_its_largest_magnitude():
    matrix = symmetric([-10.0, 3.0, 2.5, 1.0, 0.5, 0.1, -0.2, -1.0])
    assert sharpness_of_quadratic(matrix, torch.arange(1.0, 9.0).double()) == pytest.approx(3.0, rel=1e-5)


def test_parameters_that_are_zero_are_held_fixed():
    matrix = symmetric([5.0, 3.0, 2.5, 1.0, 0.5, 0.1, -0.2, -1.0])
    at = torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0]).double()
    kept = at != 0
    expected = torch.linalg.eigvalsh(matrix[kept][:, kept])[-1].item()
    assert expected < 4.9
    assert sharpness_of_quadratic(matrix, at) == pytest.approx(expected, rel=1e-5)


def test_the_sharpness_of_a_linear_classifier_is_that_of_its_whole_hessian():
    random = torch.Generator().manual_seed(1)
    inputs, labels = torch.randn(40, 6, generator=random), torch.arange(40) % 3
    model = nn.Linear(6, 3).double()
    parameters, inputs = list(model.parameters()), inputs.double()

    def loss(weight, bias):
        return F.cross_entropy(F.linear(inputs, weight, bias), labels)

    blocks = torch.autograd.functional.hessian(loss, tuple(parameters))
    rows = [torch.cat([b.reshape(p.numel(), -1) for b in row], 1) for row, p in zip(blocks, parameters, strict=True)]
    expected = torch.linalg.eigvalsh(torch.cat(rows))[-1].item()
    start = torch.randn(21, generator=random).double()
    value, products = weight_space.largest_eigenvalue(lambda: [loss(*parameters)], parameters, 1e-6, start)
    assert value == pytest.approx(expected, rel=1e-5) and 0 < products < 60


def test_places_distances_and_barriers_are_as_by_hand():
    model = nn.Linear(2, 1)
    start = {"weight": torch.tensor([[1.0, 0.0]]), "bias": torch.tensor([2.0])}
    end = {"weight": torch.tensor([[4.0, 0.0]]), "bias": torch.tensor([-2.0])}
    weight_space.place_between(model, start, end, 0.25)
    assert model.weight.tolist() == [[1.75, 0.0]] and model.bias.item() == 1.0
    weight_space.place_between(model, start, end, 1.0)
    assert model.weight.tolist() == [[4.0, 0.0]] and model.bias.item() == -2.0
    assert weight_space.distance(start, end) == 5.0
    assert weight_space.barrier([0.2, 0.7, 0.4]) == pytest.approx(0.4)
    assert weight_space.barrier([0.2, 0.1, 0.4]) == pytest.approx(0.1)


def test_recalibrated_statistics_are_means_over_all_batches():
    model = nn.BatchNorm1d(1)
    inputs = torch.arange(2.0 * weight_space.BATCH)[:, None]
    model(inputs[:10])
    weight_space.recalibrate(model, inputs)
    variances = [part.var().item() for part in inputs.split(weight_space.BATCH)]
    assert model.running_mean.item() == pytest.approx(inputs.mean().item())
    assert model.running_var.item() == pytest.approx(sum(variances) / 2, rel=1e-4) and not model.training


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return Store(tmp_path_factory.mktemp("results"))


def values(run: RunConfig, evaluation, store: Store) -> dict:
    return measuring.evaluate([run], [evaluation], store, **PLACE)[0]["values"]


@pytest.mark.parametrize("engine", ["masked", "compacted"])
def test_lines_run_from_the_start_to_the_end(engine, store):
    run = RUN.replace(engine=engine)
    line = values(run, Line(epoch=1, points=3, images=200), store)
    assert line["alpha"] == [0.0, 0.5, 1.0] and line["train_loss"][2] < line["train_loss"][0]
    early = values(run.replace(stop_epoch=2), Line(epoch=1, points=2, images=200), store)
    late = values(run, Line(epoch=2, points=2, images=200), store)
    for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy"):
        assert early[name][0] == line[name][0] and early[name][1] == late[name][0] and late[name][1] == line[name][2]
    assert line["distance"] <= early["distance"] + late["distance"] and late["distance"] < line["distance"]
    assert line["val_loss_barrier"] == max(line["val_loss"]) - (line["val_loss"][0] + line["val_loss"][2]) / 2
    errors = [1 - each for each in line["train_accuracy"]]
    assert line["train_error_barrier"] == max(errors) - (errors[0] + errors[2]) / 2
    end = dict(final_weights.load_network(run, store).named_parameters())
    norm = torch.cat([each.detach().flatten() for each in end.values()]).norm().item()
    assert line["relative_distance"] == pytest.approx(line["distance"] / norm)


def test_a_fork_is_compared_with_the_run_that_it_leaves(store):
    line = Line("unforked", points=3, images=200)
    fork = RUN.replace(fork_seed=9, fork_epoch=2)
    found, base = values(fork, line, store), values(RUN, Line(epoch=2, points=2, images=200), store)
    assert found["train_loss"][0] == base["train_loss"][1] != found["train_loss"][2]
    other = values(fork.replace(fork_epoch=1), line, store)
    assert other["train_loss"][0] == found["train_loss"][0] and other["distance"] > found["distance"] > 0
    assert find_unforked(fork) == RUN


def test_a_mask_and_the_compacted_network_have_one_landscape(store):
    compacted = RUN.replace(engine="compacted")
    line, sharpness = Line(epoch=1, points=3, images=200), Sharpness(images=100)
    one, other = (values(run, line, store) | values(run, sharpness, store) for run in (RUN, compacted))
    for name in ("train_loss", "val_loss", "distance", "relative_distance", "sharpness"):
        assert one[name] == pytest.approx(other[name], rel=1e-3), name


def test_a_checkpoint_has_a_sharpness_of_its_own(store):
    found = [values(RUN.replace(stop_epoch=stop), Sharpness(images=100), store) for stop in (1, 2)]
    assert found[0]["sharpness"] > 0 < found[1]["sharpness"] != found[0]["sharpness"]
    assert values(RUN.replace(precision="bfloat16", stop_epoch=1), Sharpness(images=100), store)["sharpness"] > 0


def test_what_is_no_line_is_refused_before_anything_is_trained(tmp_path):
    empty = Store(tmp_path)
    for run, line, says in (
        (RUN, Line("unforked"), "is no fork: it has no fork_seed"),
        (RUN.replace(fork_seed=9, fork_epoch=2, stop_epoch=2), Line("unforked"), "is no fork"),
        (RUN, Line(epoch=3), "ends after epoch 3: a line to its end must start before, and not at epoch=3"),
    ):
        with pytest.raises(StudyError, match=says):
            measuring.evaluate([run], [line], empty, **PLACE)
    assert empty.records() == []
    for impossible in (dict(epoch=0), dict(points=1), dict(start="middle"), dict(images=1)):
        with pytest.raises(StudyError, match="is not possible|unknown start 'middle': choose one of checkpoint"):
            Line(**impossible)
    assert Line("unforked", epoch=3) == Line("unforked")
