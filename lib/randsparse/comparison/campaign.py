"""A campaign: the runs of a large experiment, cell by cell, in the order in which they are wanted.

A profile whose folder has a file `campaign.yaml` is a campaign instead of parameters of notebooks. The file names
parts, and each part names its cells in their order. `recipe` holds what all runs share; a part may have one of its own,
which comes on top. A cell is one of two kinds:

- *rates*: runs from which a learning rate is chosen on validation data;
- *networks*: networks x orders of the training data, every run trained to its end with a rate that was chosen before,
  or with one that a published recipe has.

A network is a mask seed and an init seed, which are equal; an order is a data seed. Each cell has seeds of its own, but
for one that names another by `seeds_of`: it has the networks and orders of that cell, so that the two are compared seed
by seed. A cell with `first_order` has the orders from that seed on, which may be the seeds of its networks. The runs of
a cell with a `fork_epoch` go on after it in another order: each order has one for all its forks. A `score_init_seed` is
added to the seed of a network.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from randsparse.errors import StudyError, require, unknown
from randsparse.runs.config import DEFAULTS, RunConfig
from randsparse.runs.store import Store

FACTOR = 2.0
"""Between neighbouring rates of a grid; an optimum at its edge extends it by one rate, up to EXTENSIONS times."""
EXTENSIONS = 3
ORDER_SEEDS = 500
"""What is added to a cell's first seed for its orders: networks have the seeds from the first one on."""
FORK_SEEDS = 250
"""What is added to the seed of an order for that of its forks."""


@dataclass(frozen=True)
class Rates:
    """The runs from which a learning rate is chosen on validation data, the same seeds with each rate.

    Attributes:
        point: their config, but for learning rate and seeds.
        values: the rates to begin with, increasing.
        seeds: of each rate; a seed is that of mask, initial weights and order.
    """

    part: str
    name: str
    point: RunConfig
    values: tuple[float, ...]
    seeds: tuple[int, ...]

    def wanted(self, store: Store) -> list[RunConfig]:
        """Return the runs of all rates that are known to be wanted: at first `values`, then those beyond an edge."""
        return self._trials(self._grid(store))

    def planned(self, store: Store) -> list[RunConfig]:
        """Return `wanted`: whether more follow is not known before these are finished."""
        return self.wanted(store)

    def chosen(self, store: Store) -> float | None:
        """Return the rate with the highest mean validation accuracy at the end, the lowest if several; None too early.

        A rate of which a run diverged or failed is not chosen unless that holds for all.
        """
        return self._best(self._grid(store), store)

    def _grid(self, store: Store) -> list[float]:
        grid = list(self.values)
        for _ in range(EXTENSIONS):
            best = self._best(grid, store)
            if best == grid[-1]:
                grid.append(best * FACTOR)
            elif best == grid[0]:
                grid.insert(0, best / FACTOR)
            else:
                break
        return grid

    def _best(self, grid: Iterable[float], store: Store) -> float | None:
        trials = self._trials(grid)
        records = store.load(trials)
        if len(records) < len(set(trials)):
            return None
        sums = dict.fromkeys(sorted(grid), 0.0)
        for trial in trials:
            record = records[trial.key]
            sums[trial.lr] += record["curve"][-1]["val_accuracy"] if record["status"] == "done" else -1.0
        return max(sums, key=lambda lr: sums[lr] / len(self.seeds))

    def _trials(self, grid: Iterable[float]) -> list[RunConfig]:
        return [_seeded(self.point.replace(lr=lr), seed, seed) for lr, seed in itertools.product(grid, self.seeds)]


@dataclass(frozen=True)
class Networks:
    """Networks x orders of the training data, every one of these runs trained to the end.

    Attributes:
        point: their config, but for learning rate and seeds.
        rates: the cell that chooses their learning rate, or that rate.
        networks, orders: how many there are of each.
        crossed: whether each network is trained in every order; else network i in order i modulo `orders` alone.
        paired: whether networks and orders are those of another cell.
        evaluated: how many networks (the first ones) are evaluated beyond accuracy, network i in order i mod `orders`.
        first_order: the seed of the first order, None for ORDER_SEEDS after the first network.
    """

    part: str
    name: str
    point: RunConfig
    rates: Rates | float
    first_seed: int
    networks: int
    orders: int
    crossed: bool = True
    evaluated: int = 0
    paired: bool = False
    first_order: int | None = None

    def wanted(self, store: Store) -> list[RunConfig]:
        """Return the runs, order by order; [] as long as their learning rate is not known."""
        return list(self.placed(store).values())

    def planned(self, store: Store) -> list[RunConfig]:
        """Return the runs; as long as their learning rate is not known, with the first one of the grid instead."""
        return list(self._runs(self._rate(store) or self.rates.values[0]).values())

    def placed(self, store: Store) -> dict[tuple[int, int], RunConfig]:
        """Return the runs by network and order, both from 0; {} as long as their learning rate is not known."""
        rate = self._rate(store)
        return {} if rate is None else self._runs(rate)

    def to_evaluate(self, store: Store) -> list[RunConfig]:
        """Return the runs to be evaluated beyond accuracy; [] as long as their learning rate is not known."""
        runs = self.placed(store)
        return [runs[network, network % self.orders] for network in range(self.evaluated if runs else 0)]

    @property
    def order_seed(self) -> int:
        """The seed of the first order."""
        return self.first_seed + ORDER_SEEDS if self.first_order is None else self.first_order

    @property
    def own_seeds(self) -> set[int]:
        """The seeds of networks, orders and forks, which no other cell may have; none if they are another cell's."""
        if self.paired:
            return set()
        orders = range(self.order_seed, self.order_seed + self.orders)
        forks = [seed + FORK_SEEDS for seed in orders]
        return {*range(self.first_seed, self.first_seed + self.networks), *orders, *forks}

    def _rate(self, store: Store) -> float | None:
        return self.rates.chosen(store) if isinstance(self.rates, Rates) else self.rates

    def _runs(self, rate: float) -> dict[tuple[int, int], RunConfig]:
        pairs = ((network, order) for order in range(self.orders) for network in range(self.networks))
        point = self.point.replace(lr=rate)
        return {
            (network, order): _seeded(point, self.first_seed + network, self.order_seed + order)
            for network, order in pairs
            if self.crossed or network % self.orders == order
        }


Cell = Rates | Networks
_Kind = TypeVar("_Kind", Rates, Networks)


@dataclass(frozen=True)
class Campaign:
    """The cells of a campaign in order, and the profile whose evaluations beyond accuracy are made of some runs."""

    cells: tuple[Cell, ...]
    evaluations_of: object = None

    @property
    def parts(self) -> list[str]:
        """The names of all parts, in order."""
        return list(dict.fromkeys(cell.part for cell in self.cells))

    def of(self, parts: Iterable[str]) -> Campaign:
        """Return the campaign of some parts and of the rates that these need; raises StudyError for one unknown."""
        for part in (parts := list(parts)):
            if part not in self.parts:
                raise unknown("part", part, self.parts)
        asked = [cell for cell in self.cells if cell.part in parts]
        needed = [cell.rates for cell in asked if isinstance(cell, Networks)]
        kept = tuple(cell for cell in self.cells if cell in asked or cell in needed)
        return Campaign(kept, self.evaluations_of)

    def needed(self, store: Store) -> list[RunConfig]:
        """Return the runs that are wanted next: of the cells in order, up to the first rates that are not chosen."""
        missing: list[RunConfig] = []
        for cell in self.cells:
            own = [config for config in cell.wanted(store) if not store.has(config)]
            missing += own
            if isinstance(cell, Rates) and own:
                break
        return list(dict.fromkeys(missing))

    def to_evaluate(self, store: Store) -> list[RunConfig]:
        """Return the finished runs that are to be evaluated beyond accuracy."""
        runs = [config for cell in self.cells if isinstance(cell, Networks) for config in cell.to_evaluate(store)]
        return [config for config in runs if store.has(config)]

    def named(self, names: Iterable[str]) -> list[Networks]:
        """Return the cells of networks with these names, in their order; raises StudyError for one unknown."""
        return [_named("cell", name, self.cells, Networks) for name in names]


def parse(content: Any) -> Campaign:
    """Return the campaign that the content of a file describes; raises StudyError, in one line that names the cell."""
    content = _mapping("the file", content, ("recipe", "parts", "evaluations_of"))
    recipe = _mapping("recipe", content.get("recipe"), DEFAULTS)
    cells: list[Cell] = []
    for part, described in _mapping("parts", content.get("parts")).items():
        described = dict(_mapping(f"part {part}", described))
        shared = _mapping(f"recipe of part {part}", described.pop("recipe"), DEFAULTS) if "recipe" in described else {}
        for name, values in described.items():
            try:
                cells.append(_cell(str(part), str(name), values, recipe | shared, cells))
            except StudyError as error:
                raise StudyError(f"part {part}, cell {name}: {error}") from None
    _check_seeds(cells)
    return Campaign(tuple(cells), content.get("evaluations_of"))


def _cell(part: str, name: str, values: Any, recipe: Mapping[str, Any], before: list[Cell]) -> Cell:
    values = _mapping("a cell", values, (*DEFAULTS, *_NUMBERS, *_OTHERS))
    if name in [cell.name for cell in before]:
        raise StudyError("two cells have this name")
    for field in ("mask_seed", "init_seed", "data_seed", "fork_seed"):
        require(field not in values, field, values.get(field), "left to the cell, which has seeds of its own")
    ways = [name for name in ("rates", "rate_of", "lr") if name in values]
    if len(ways) != 1:
        raise StudyError("a cell must have one of rates (to choose from), rate_of (a cell that chooses) and lr (fixed)")
    own = {field: value for field, value in values.items() if field in DEFAULTS}
    point = RunConfig(**recipe | ({"fork_seed": FORK_SEEDS} if "fork_epoch" in own else {}) | own)
    if "seeds_of" in values:
        values = values | _seeds_of(values, before)
    numbers = {field: _number(field, values, default) for field, default in _NUMBERS.items()}
    first, networks, orders, evaluated = (numbers[field] for field in ("first_seed", "networks", "orders", "evaluated"))
    if "rates" in values:
        rates = values["rates"]
        good = isinstance(rates, list) and all(isinstance(lr, int | float) and lr > 0 for lr in rates)
        require(good and rates and rates == sorted(set(rates)), "rates", rates, "increasing numbers above 0")
        seeds = tuple(range(first, first + numbers["seeds"]))
        return Rates(part, name, point, tuple(map(float, rates)), seeds)
    rate: Rates | float = point.lr
    if "rate_of" in values:
        rate = _named("rate_of (a cell before this one that has rates)", values["rate_of"], before, Rates)
    require(networks <= ORDER_SEEDS, "networks", networks, f"at most {ORDER_SEEDS}")
    require(orders <= FORK_SEEDS, "orders", orders, f"at most {FORK_SEEDS}")
    require(evaluated <= networks, "evaluated", evaluated, f"at most the number of networks ({networks})")
    crossed = values.get("crossed", True)
    require(isinstance(crossed, bool), "crossed", crossed, "true or false")
    first_order = values.get("first_order")
    require(first_order is None or _is_count(first_order), "first_order", first_order, "a whole number from 0 up")
    paired = "seeds_of" in values
    return Networks(part, name, point, rate, first, networks, orders, crossed, evaluated, paired, first_order)


def _named(what: str, name: str, cells: Iterable[Cell], kind: type[_Kind]) -> _Kind:
    """Return the cell of this kind and name; raises StudyError where there is none."""
    known = {cell.name: cell for cell in cells if isinstance(cell, kind)}
    if name not in known:
        raise unknown(what, name, known)
    return known[name]


def _seeds_of(values: Mapping[str, Any], before: Iterable[Cell]) -> dict[str, Any]:
    """Return the numbers of a cell that has the networks and orders of another one."""
    other = _named("seeds_of (a cell before this one that has networks)", values["seeds_of"], before, Networks)
    same = {name: getattr(other, name) for name in ("first_seed", "networks", "orders", "crossed", "first_order")}
    for name in same:
        require(name not in values, name, values.get(name), "left out: seeds_of says it")
    return same


_NUMBERS = {"first_seed": None, "networks": 1, "orders": 1, "seeds": 1, "evaluated": 0}
"""Whole numbers of a cell and their defaults; None: it must be given."""
_OTHERS = ("rates", "rate_of", "crossed", "seeds_of", "first_order")


def _number(name: str, values: Mapping[str, Any], default: int | None) -> int:
    value, least = values.get(name, default), 0 if name in ("evaluated", "first_seed") else 1
    require(_is_count(value) and value >= least, name, value, f"a whole number from {least} up")
    return value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _mapping(what: str, value: Any, names: Iterable[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise StudyError(f"{what} must hold lines of `name: value`")
    for name in value:
        if names is not None and name not in names:
            raise unknown(f"name in {what}", name, list(names))
    return value


def _seeded(config: RunConfig, network: int, order: int) -> RunConfig:
    others = {} if config.fork_seed is None else {"fork_seed": order + FORK_SEEDS}
    if config.score_init_seed is not None:
        others["score_init_seed"] = network + config.score_init_seed
    return config.replace(mask_seed=network, init_seed=network, data_seed=order, **others)


def _check_seeds(cells: Iterable[Cell]) -> None:
    """Raise StudyError if two cells share a seed: what they show would not be independent."""
    taken: dict[int, str] = {}
    for cell in cells:
        for seed in cell.seeds if isinstance(cell, Rates) else cell.own_seeds:
            if seed in taken:
                raise StudyError(f"cells {taken[seed]} and {cell.name} share the seed {seed}: give another first_seed")
            taken[seed] = cell.name
