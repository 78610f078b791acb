"""How many weights each layer keeps: the layer-wise density rules, and exact counts from them.

Shapes map parameter names to weight shapes (out, in, *kernel) in order of depth, the classifier last.
N_l is the number of weights of layer l, N their sum, ρ the density asked for, p_l the density of layer l.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from randsparse.errors import StudyError, unknown

Shapes = Mapping[str, tuple[int, ...]]
Rule = Callable[[Shapes, float], dict[str, float]]


def uniform(shapes: Shapes, density: float) -> dict[str, float]:
    """p_l = ρ, the same density in every layer."""
    return _fill(shapes, density, _one(shapes))


def uniform_plus(shapes: Shapes, density: float) -> dict[str, float]:
    """Uniform, but the first layer is dense and the classifier at least .2 dense (Liu et al. 2022)."""
    names = list(shapes)
    return _fill(shapes, density, _one(shapes), {names[-1]: 0.2, names[0]: 1.0})


def er(shapes: Shapes, density: float) -> dict[str, float]:
    """Erdős-Rényi: p_l = ε (n_in + n_out) / (n_in n_out), at most 1."""
    return _fill(shapes, density, _er(shapes))


def erk(shapes: Shapes, density: float) -> dict[str, float]:
    """Erdős-Rényi-kernel: p_l = ε (n_in + n_out + k_w + k_h) / (n_in n_out k_w k_h), at most 1."""
    return _fill(shapes, density, _erk(shapes))


def erk_plus(shapes: Shapes, density: float) -> dict[str, float]:
    """ERK, but the classifier is dense and the other layers make up for it (Liu et al. 2022)."""
    return _fill(shapes, density, _erk(shapes), {list(shapes)[-1]: 1.0})


def balanced(shapes: Shapes, density: float) -> dict[str, float]:
    """p_l = c / N_l, at most 1: as many weights in every layer (Gadhikar et al. 2023)."""
    return _fill(shapes, density, _balanced(shapes))


def pyramidal(shapes: Shapes, density: float) -> dict[str, float]:
    """p_l = q^l with Σ q^l N_l = ρN, l = 1 … L: the first layer is the densest (Gadhikar et al. 2023)."""
    check(shapes, density)
    sizes, depth = _sizes(shapes), np.arange(1, len(shapes) + 1)
    q = _root(lambda q: (sizes * q**depth).sum() - density * sizes.sum(), 0, 1, xtol=1e-15, rtol=1e-14)
    return dict(zip(shapes, (q**depth).tolist(), strict=True))


def smart(shapes: Shapes, density: float) -> dict[str, float]:
    """Smart ratio: p_l = c (k² + k), at most 1, k = 1 … L counted from the output (Su et al. 2020).

    The classifier, k = 1, is at least .3 dense: the authors' code fixes its density at .3 and spreads the rest by the
    formula, as here (the formula reaches .3 only where nearly all other layers are full). Shortcuts count as layers.
    """
    names = list(shapes)
    weights = {name: float(k * k + k) for k, name in enumerate(reversed(names), start=1)}
    return _fill(shapes, density, weights, {names[-1]: 0.3} if names else None)


def igq(shapes: Shapes, density: float) -> dict[str, float]:
    """Ideal-gas quotas: p_l = 1 / (1 + F N_l) with F ≥ 0 such that Σ p_l N_l = ρN (Vysogorets and Kempe 2021).

    Layer l is a cylinder of gas of height 1 and cross-section 1/N_l that one force F compresses to the height p_l: by
    Boyle's law the pressure 1 + F N_l times the height stays 1. Sparse layers keep 1/F weights each, as if balanced.
    This is the formula of the authors' code.
    """
    check(shapes, density)
    sizes = _sizes(shapes)
    wanted = density * sizes.sum()
    force = _root(lambda f: (sizes / (1 + f * sizes)).sum() - wanted, 0, len(sizes) / wanted, xtol=1e-24, rtol=1e-14)
    return dict(zip(shapes, (1 / (1 + force * sizes)).tolist(), strict=True))


def custom(shapes: Shapes, density: float, layers: Mapping[str, float]) -> dict[str, float]:
    """p_l as `layers` gives it, in (0, 1] by name; those not named share what is left of ρN at one density.

    Raises StudyError for a name that is no layer, and where the layers cannot make up the density: with all of them
    named, their total has to be ρN up to rounding (half a weight a layer).
    """
    for name in layers:
        if name not in shapes:
            raise unknown("layer", name, shapes)
    check(shapes, density)
    sizes = dict(zip(shapes, _sizes(shapes).tolist(), strict=True))
    total, rounding = sum(sizes.values()), len(shapes) / 2
    fixed = sum(max(1.0, p * sizes[name]) for name, p in layers.items())
    others = [size for name, size in sizes.items() if name not in layers]
    if not fixed + len(others) - rounding <= density * total <= fixed + sum(others) + rounding:
        low, high = (f"{round((fixed + more) / total, 9):.9g}" for more in (len(others), sum(others)))
        reach = f"a density from {low} to {high}" if others else f"a density of {low}"
        raise StudyError(f"layer_densities allow {reach} in all, not {density:.9g}: change them, or the sparsity")
    rest = min(1.0, max(0.0, density * total - fixed) / sum(others)) if others else 0.0
    return {name: layers.get(name, rest) for name in shapes}


RULES: dict[str, Rule] = {
    "uniform": uniform,
    "uniform+": uniform_plus,
    "er": er,
    "erk": erk,
    "erk+": erk_plus,
    "balanced": balanced,
    "pyramidal": pyramidal,
    "smart": smart,
    "igq": igq,
}
"""The rules that need shapes and a density only; `custom` needs densities."""
SCORED = ("magnitude", "snip", "grasp", "synflow")
"""The rules that need weights: `scores` has them."""
NEED_DATA = ("snip", "grasp")
"""Those of them that look at training images; the others take of these no more than the shape."""


def _root(function: Callable[[float], float], low: float, high: float, **tolerances: float) -> float:
    """Return where a function is zero between two places; SciPy is imported here, as it takes its time."""
    from scipy.optimize import brentq

    return brentq(function, low, high, **tolerances)


def allocate(shapes: Shapes, density: float, rule: str) -> dict[str, int]:
    """Return how many weights each layer keeps, exactly round(density · N) in all.

    The rule's real-valued counts p_l N_l are rounded by largest remainder, each between 1 and N_l.
    Raises StudyError for an unknown rule, and for a density that the rule cannot meet (it says which it can).
    """
    check_shapes(shapes)
    if rule not in RULES:
        raise unknown("density rule", rule, RULES)
    return apportion(shapes, density, RULES[rule](shapes, density))


def apportion(shapes: Shapes, density: float, densities: Mapping[str, float]) -> dict[str, int]:
    """Return counts p_l N_l rounded by largest remainder: each between 1 and N_l, in all round(density · N).

    Args:
        densities: p_l by layer, in the order of `shapes`, with Σ p_l N_l = ρN up to rounding.
    """
    sizes = _sizes(shapes)
    counts = round_counts(np.array(list(densities.values())) * sizes, sizes, round(density * int(sizes.sum())))
    return dict(zip(shapes, counts.tolist(), strict=True))


def round_counts(wanted: np.ndarray, limits: np.ndarray, total: int) -> np.ndarray:
    """Return counts by layer, `total` in all, each between 1 and its limit: `wanted` rounded by largest remainder."""
    counts = np.clip(np.floor(wanted + 1e-6), 1, limits).astype(int)  # 1e-6: a dense layer stays dense
    missing = total - int(counts.sum())
    step = 1 if missing > 0 else -1
    for _ in range(abs(missing)):
        free = counts < limits if step > 0 else counts > 1
        counts[np.argmax(np.where(free, step * (wanted - counts), -np.inf))] += step
    return counts


def fit_within(counts: Mapping[str, int], limits: Mapping[str, int]) -> dict[str, int]:
    """Return counts of the same sum, none above its layer's limit: what a full layer cannot take goes to the others.

    They share it in proportion: min(limit_l, c k_l) with one c ≥ 1, rounded by largest remainder.
    Raises StudyError for limits that are too low in all.
    """
    k, limit = (np.array([each[name] for name in counts]) for each in (counts, limits))
    if k.sum() > limit.sum():
        raise StudyError(f"{k.sum()} weights do not fit into layers that have {limit.sum()}: keep fewer")
    corners = np.unique(np.concatenate([[0.0], limit / k]))
    kept = [np.minimum(limit, c * k).sum() for c in corners]
    wanted = np.minimum(limit, np.interp(k.sum(), kept, corners) * k)
    return dict(zip(counts, round_counts(wanted, limit, int(k.sum())).tolist(), strict=True))


def clip_densities(shapes: Shapes, density: float, rule: str) -> dict[str, float]:
    """Return the densities that the papers' released code realises: clipped at 1, the surplus lost.

    For uniform, er, erk and balanced: p_l = min(1, c w_l) with c = ρN / Σ w_l N_l, solved without the clip,
    so Σ p_l N_l falls short of ρN where a layer is clipped. For comparison only; masks come from `allocate`.
    """
    if rule not in _WEIGHTS:
        raise unknown("clipped density rule", rule, _WEIGHTS)
    check(shapes, density)
    sizes, weights = _sizes(shapes), np.array(list(_WEIGHTS[rule](shapes).values()))
    constant = density * sizes.sum() / (weights * sizes).sum()
    return dict(zip(shapes, np.minimum(1, constant * weights).tolist(), strict=True))


def _one(shapes: Shapes) -> dict[str, float]:
    return dict.fromkeys(shapes, 1.0)


def _er(shapes: Shapes) -> dict[str, float]:
    return {name: sum(shape[:2]) / math.prod(shape[:2]) for name, shape in shapes.items()}


def _erk(shapes: Shapes) -> dict[str, float]:
    return {name: sum(shape) / math.prod(shape) for name, shape in shapes.items()}


def _balanced(shapes: Shapes) -> dict[str, float]:
    return {name: 1 / math.prod(shape) for name, shape in shapes.items()}


_WEIGHTS = {"uniform": _one, "er": _er, "erk": _erk, "balanced": _balanced}


def _sizes(shapes: Shapes) -> np.ndarray:
    return np.array([math.prod(shape) for shape in shapes.values()])


def check_shapes(shapes: object) -> None:
    """Raise StudyError for what is no mapping of names to shapes, such as a network."""
    if not isinstance(shapes, Mapping):
        raise StudyError(
            f"a {type(shapes).__name__} has no shapes by name: give masks.find_weights(model), or a mapping "
            "of names of weights to shapes"
        )


def check(shapes: Shapes, density: float, floors: Mapping[str, float] | None = None) -> None:
    """Raise StudyError unless the density has room for the floors, and for one weight in each other layer."""
    floors = floors or {}
    if not shapes or min(map(math.prod, shapes.values())) < 1:
        raise StudyError("no weights to mask: give the shape of at least one layer, none of them empty")
    sizes = _sizes(shapes)
    fixed = sum(max(1.0, floors.get(name, 0.0) * size) for name, size in zip(shapes, sizes, strict=True))
    if not fixed / sizes.sum() - 1e-12 <= density <= 1:
        low = math.ceil(fixed / sizes.sum() * 1e6) / 1e6
        why = f" ({', '.join(floors)} cannot be sparser)" if floors else ""
        raise StudyError(
            f"density {density:g} cannot be met by {len(shapes)} layers of {sizes.sum()} weights{why}: "
            f"choose one from {low:g} to 1"
        )


def _fill(
    shapes: Shapes, density: float, weights: Mapping[str, float], floors: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Solve Σ p_l N_l = ρN for c in p_l = min(1, max(floor_l, c w_l)): others take a full layer's surplus."""
    floors = floors or {}
    check(shapes, density, floors)
    sizes = _sizes(shapes)
    w, floor = np.array([(weights[name], floors.get(name, 0.0)) for name in shapes]).T

    def densities(constant: float) -> np.ndarray:
        return np.minimum(1, np.maximum(floor, constant * w))

    # Σ p_l N_l is piecewise linear in c, with corners where a layer leaves its floor or fills up: linear
    # interpolation between the corners solves it exactly.
    corners = np.unique(np.concatenate([[0.0], floor / w, 1 / w]))
    kept = [(densities(corner) * sizes).sum() for corner in corners]
    return dict(zip(shapes, densities(np.interp(density * sizes.sum(), kept, corners)).tolist(), strict=True))
