"""When a random sparse network contains a given one: probabilities and widths (Gadhikar et al. 2023), derived here.

A *target* is a fully connected ReLU network of L layers, x_0 -> x_1 -> ... -> x_L, of widths n_0, ..., n_L; E_l is the
number of edges (non-zero weights) of its layer l. A *source* has L + 1 layers. An Erdős–Rényi mask ER(p) keeps each of
its edges independently with probability p = 1 - s, where s is its sparsity. Roles are fixed before the mask is drawn:

- the first layer has k_0 copies of relu(x_i) and of relu(-x_i), for every input i: a linear function of x is one of
  these, which is why the source is one layer deeper. A copy is *usable* if the mask has its edge from x_i;
- behind it, each hidden neuron of the target has k copies, and each output one neuron. Copy j' realises the edge
  i -> j of the target if the mask connects it to one (usable) copy of i: that connection gets the weight, all others 0.

A copy that realises all edges of its neuron computes what the neuron computes. The edges that different pairs (i, j')
may use are disjoint, hence independent, and a pair fails with probability s^k: all k edges are missing. So

    P(every copy realises every edge) = Π_i [Σ_m Bin(m; k_0, p) (1 - s^m)^(k d_i)]^2 · Π_(1<l<L) (1 - s^k)^(k E_l)
                                        · (1 - s^k)^(E_L)

with d_i neurons reading input i: given that m of its copies are usable, all k d_i readers have to be connected to one.
This is exact. A pair of the first layer fails with probability E[s^m] = (1 - p^2)^(k_0), and with k_0 so large that
this is s^k at most, the union bound over E(k) = 2 k E_1 + k Σ_(1<l<L) E_l + E_L pairs gives

    P >= 1 - E(k) s^k,  hence k >= log(E(k)/δ) / log(1/s) suffices for 1 - δ: the width factor 1/log(1/s).

The other direction holds for any weights and roles. If a target's outputs depend on all its inputs, each of d inputs
needs an edge out of it, and each of m outputs one into it; with N neurons in the first and last hidden layer

    P(contained) <= (1 - s^N)^(d + m),  hence N >= log(1/(1 - (1 - δ)^(1/(d+m)))) / log(1/s) is necessary,

even if the target has a single neuron a layer. Both widths grow in proportion to 1/log(1/s).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats as distributions
from torch import Tensor

from randsparse.errors import StudyError
from randsparse.questions.theory.plan import width_factor
from randsparse.seeds import generator

STEPS = 2**16
"""Sparsities of sources are multiples of 1/STEPS, so that an edge costs 16 random bits and its probability is exact."""


@dataclass(frozen=True)
class Target:
    """A fully connected ReLU network with linear outputs; a weight of 0 is no edge.

    Attributes:
        weights: float64 of shape (n_l, n_(l-1)) for l = 1, ..., L.
        biases: float64 of shape (n_l,).

    Raises StudyError for fewer than two layers, and for shapes that do not follow each other.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    def __post_init__(self) -> None:
        if len(self.weights) < 2:
            raise StudyError(f"a target of {len(self.weights)} layers: it needs 2 at least, a hidden one and outputs")
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            inputs = self.weights[index - 1].shape[0] if index else weight.shape[1]
            if weight.shape != (len(bias), inputs):
                raise StudyError(
                    f"target layer {index + 1} has weights {tuple(weight.shape)}: ({len(bias)}, {inputs}) "
                    "would follow from its biases and the layer before"
                )

    @property
    def widths(self) -> tuple[int, ...]:
        """The number of inputs, of neurons of each hidden layer, and of outputs."""
        return (self.weights[0].shape[1], *(weight.shape[0] for weight in self.weights))

    @property
    def name(self) -> str:
        """What figures call it, such as "2 layers: 2-3-1"."""
        return f"{len(self.weights)} layers: {'-'.join(map(str, self.widths))}"

    @property
    def edges(self) -> tuple[Tensor, ...]:
        """Where the weights of each layer are not zero, bool."""
        return tuple(weight != 0 for weight in self.weights)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the outputs (B, n_L) for inputs (B, n_0)."""
        return forward(self.weights, self.biases, x)


def forward(weights: Sequence[Tensor], biases: Sequence[Tensor], x: Tensor) -> Tensor:
    """Return what a fully connected ReLU network with linear outputs computes of x (B, n_0)."""
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        x = torch.relu(x @ weight.T + bias)
    return x @ weights[-1].T + biases[-1]


def draw_target(widths: Sequence[int], seed: int) -> Target:
    """Return a fully connected target with weights and biases from N(0, 1), generic: no two neurons are alike.

    Drawn again until every hidden neuron is active on a fifth of the inputs from N(0, 1) at least, and every output
    varies: a target with dead neurons would be contained in anything.
    """
    if min(widths, default=0) < 1:
        raise StudyError(f"target widths {list(widths)}: each layer needs one neuron at least")
    stream = generator("theory-target", seed, "-".join(map(str, widths)))
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    x = torch.randn(500, widths[0], generator=stream, dtype=torch.float64)
    while True:
        weights = tuple(torch.randn(shape, generator=stream, dtype=torch.float64) for shape in shapes)
        biases = tuple(torch.randn(shape[0], generator=stream, dtype=torch.float64) for shape in shapes)
        target = Target(weights, biases)
        if _alive(target, x):
            return target


def _alive(target: Target, x: Tensor) -> bool:
    for weight, bias in zip(target.weights[:-1], target.biases[:-1], strict=True):
        x = torch.relu(x @ weight.T + bias)
        if (x > 0).double().mean(0).min() < 0.2:
            return False
    return bool((x @ target.weights[-1].T).std(0).min() > 0.1)


def round_to_grid(sparsity: float) -> float:
    """Return the multiple of 1/STEPS that is nearest to a sparsity; raises StudyError outside of (0, 1)."""
    nearest = round(sparsity * STEPS) / STEPS
    if not 0 < nearest < 1:
        raise StudyError(f"sparsity {sparsity!r} of a random source: it must be above 0 and below 1")
    return nearest


def input_copies(copies: int, sparsity: float) -> int:
    """Return k_0, the smallest number with (1 - p^2)^(k_0) <= s^k: about k/p where p is small."""
    density = 1 - sparsity
    return math.ceil(copies * math.log(sparsity) / math.log1p(-(density**2)))


def pairs(target: Target, copies: int) -> int:
    """Return E(k), the number of pairs (i, j') of a neuron and a copy of one that reads it, of k copies."""
    first, *inner, last = (int(edges.sum()) for edges in target.edges)
    return 2 * copies * first + copies * sum(inner) + last


def probability(target: Target, copies: int, sparsity: float) -> float:
    """Return the exact probability that every copy of a source realises every edge of the target.

    Args:
        copies: k, from 1.
        sparsity: s of the source, in (0, 1).
    """
    first, *inner, last = target.edges
    s, k = sparsity, _at_least_one(copies)
    usable = np.arange(input_copies(k, s) + 1)  # m
    weights = distributions.binom.pmf(usable, usable[-1], 1 - s)
    readers = first.sum(0).numpy()  # d_i
    inputs = [float(weights @ (1 - s**usable) ** (k * d)) ** 2 for d in readers]
    connected = k * sum(int(edges.sum()) for edges in inner) + int(last.sum())
    return min(math.prod(inputs), 1.0) * (1 - s**k) ** connected


def union_bound(target: Target, copies: int, sparsity: float) -> float:
    """Return 1 - E(k) s^k, or 0: never more than `probability`."""
    return max(0.0, 1 - pairs(target, _at_least_one(copies)) * sparsity**copies)


def dropping_bound(target: Target, copies: int, sparsity: float) -> float:
    """Return what the probability cannot exceed if copies that fail are dropped, and the others have to do.

    Each edge into an output still needs a connection to one of k copies, and each input that is read a usable copy of
    either sign: (1 - s^k)^(E_L) (1 - s^(k_0))^(2 n_0).
    """
    k_0 = input_copies(_at_least_one(copies), sparsity)
    read = int(target.edges[0].any(0).sum())
    return (1 - sparsity**copies) ** int(target.edges[-1].sum()) * (1 - sparsity**k_0) ** (2 * read)


def sufficient_copies(target: Target, sparsity: float, failure: float) -> int:
    """Return the smallest k with E(k) s^k <= δ, by which the source contains the target with 1 - δ.

    Args:
        failure: δ, in (0, 1).
    """
    _check_failure(failure)
    copies = 1
    while pairs(target, copies) * sparsity**copies > failure:
        copies += 1
    return copies


def not_cut_off(ends: int, width: int, sparsity: float) -> float:
    """Return (1 - s^N)^(d + m): the probability that no input and no output of a source is cut off.

    Args:
        ends: d + m, the number of inputs and outputs.
        width: N, of the first and of the last hidden layer.
    """
    return (1 - sparsity**width) ** ends


def necessary_width(ends: int, sparsity: float, failure: float) -> float:
    """Return the N at which (1 - s^N)^(d + m) = 1 - δ: with a smaller one no weights contain the target with 1 - δ."""
    _check_failure(failure)
    return -math.log(-math.expm1(math.log1p(-failure) / ends)) * width_factor(sparsity)


def _check_failure(failure: float) -> None:
    if not 0 < failure < 1:
        raise StudyError(f"probability of failure {failure!r}: it must be above 0 and below 1")


def _at_least_one(copies: int) -> int:
    if copies < 1:
        raise StudyError(f"{copies} copies of each neuron: a source needs one at least")
    return copies
