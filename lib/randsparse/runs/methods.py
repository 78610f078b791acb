"""Methods whose masks change while they train: which fields of RunConfig each reads, and which values are possible."""

from __future__ import annotations

from typing import Protocol

from randsparse.data import catalogue
from randsparse.errors import require, unknown
from randsparse.sparsity import densities

_SOURCE = {"source_sparsity", "source_rule"}
_UPDATES = {"update_interval", "update_end"}
_REPLACES = {"rule", "layer_densities", "prune_rate", "prune_decay"}

READS: dict[str, set[str]] = {
    "set": _SOURCE | _UPDATES | _REPLACES,
    "rigl": _SOURCE | _UPDATES | _REPLACES,
    "granet": _SOURCE | _UPDATES | _REPLACES | {"start_sparsity", "update_start"},
    "gmp": _SOURCE | _UPDATES | {"update_start", "prune_scope"},
    "str": _SOURCE | {"update_end", "threshold_init", "threshold_decay"},
    "imp": _SOURCE | {"levels", "rewind", "rewind_epoch", "prune_scope"},
    "edge-popup": _SOURCE | _UPDATES | {"update_start", "start_sparsity", "frozen_weights", "fine_tune_epochs"},
}
"""By method, the fields that have an effect on it, of those that have none on a static mask, and of `rule`."""
DYNAMIC = tuple(READS)
FIELDS = tuple(sorted(set().union(*READS.values()) - {"rule", "layer_densities"}))
"""The fields of RunConfig that no static mask reads."""
CHOICES = {
    "prune_decay": ("cosine", "constant"),
    "prune_scope": ("global", "layer"),
    "rewind": ("weights", "rate"),
    "frozen_weights": ("signed-constant", "kaiming-normal"),
}

_PLAIN = {"structure": "weight", "criterion": "random", "draw": "exact", "engine": "masked"}
"""What a method whose mask changes needs."""


class Config(Protocol):
    """The fields that are read here of a `config.RunConfig`, which imports this file to be checked."""

    dataset: str
    train_samples: int | None
    sparsity: float
    structure: str
    rule: str
    criterion: str
    draw: str
    method: str
    source_sparsity: float
    source_rule: str
    start_sparsity: float
    prune_rate: float
    update_interval: int
    update_start: float
    update_end: float
    threshold_init: float
    threshold_decay: float
    levels: int
    rewind_epoch: int
    fine_tune_epochs: int
    epochs: int
    batch_size: int
    warmup_epochs: float
    engine: str


def check(config: Config) -> None:
    """Raise StudyError for a value that is impossible for the config's method, which is one of DYNAMIC."""
    method, reads = config.method, READS[config.method]
    for name, wanted in _PLAIN.items():
        value = getattr(config, name)
        require(value == wanted, name, value, f"{wanted!r} with method={method!r}")
    rules = (*densities.RULES, "custom")
    require(
        "rule" not in reads or config.rule in rules,
        "rule",
        config.rule,
        f"one that needs no scores with method={method!r}: {', '.join(rules)}",
    )
    if config.source_rule not in densities.RULES:
        raise unknown("density rule source_rule", config.source_rule, densities.RULES)
    require(
        config.source_sparsity <= config.sparsity,
        "source_sparsity",
        config.source_sparsity,
        f"at most sparsity ({config.sparsity:g}): a source mask cannot be sparser than what it has to contain",
    )
    require(
        method != "edge-popup" or config.source_sparsity < config.sparsity,
        "sparsity",
        config.sparsity,
        f"above source_sparsity ({config.source_sparsity:g}) with method='edge-popup', which only chooses weights",
    )
    if "start_sparsity" in reads:
        require(
            config.start_sparsity <= config.sparsity,
            "start_sparsity",
            config.start_sparsity,
            f"at most sparsity ({config.sparsity:g}): training starts at least as dense as it ends",
        )
    if "update_start" in reads:
        require(
            config.update_start < config.update_end,
            "update_start",
            config.update_start,
            f"below update_end ({config.update_end:g}), as fractions of training",
        )
    if "fine_tune_epochs" in reads:
        tuning = config.fine_tune_epochs
        require(tuning < config.epochs, "fine_tune_epochs", tuning, f"below epochs ({config.epochs})")
        shorter = min(tuning, config.epochs - tuning) or config.epochs
        require(
            config.warmup_epochs < shorter or not config.warmup_epochs,
            "warmup_epochs",
            config.warmup_epochs,
            f"below the {shorter} epochs of a schedule: edge-popup and fine-tuning have one each",
        )
    if "levels" in reads:
        k = config.rewind_epoch
        require(k < config.epochs, "rewind_epoch", k, f"below epochs ({config.epochs})")
        require(
            (config.epochs - k) % config.levels == 0,
            "epochs",
            config.epochs,
            f"rewind_epoch ({k}) and a multiple of levels ({config.levels}), which share the epochs after it",
        )
        require(
            config.warmup_epochs < count_level_epochs(config),
            "warmup_epochs",
            config.warmup_epochs,
            f"below the {count_level_epochs(config)} epochs of a level",
        )


def check_schedule(config: Config) -> None:
    """Raise StudyError if the mask of a config, whose fields without effect are at their defaults, is never updated."""
    reads = READS.get(config.method, set())
    samples = catalogue.training_samples(config.dataset)
    if samples and "update_interval" in reads and (config.method != "edge-popup" or anneals(config)):
        Schedule(config, min(samples, config.train_samples or samples) // config.batch_size)


def place_in_schedule(config: Config, step: int, steps_per_epoch: int) -> tuple[int, int]:
    """Return where `step` (from 0) is in the schedule of the learning rate, and how many steps that schedule has.

    It is that of all of training, but each level of "imp" has one, which rewinds to `rewind_epoch`, and fine-tuning
    has one of its own.
    """
    total = config.epochs * steps_per_epoch
    if config.method == "imp":
        total, back = count_level_epochs(config) * steps_per_epoch, config.rewind_epoch * steps_per_epoch
        return (step if step < back else back + (step - back) % (total - back)), total
    tuning = config.fine_tune_epochs * steps_per_epoch
    return (step, total - tuning) if step < total - tuning else (step - (total - tuning), tuning)


def count_level_epochs(config: Config) -> int:
    """Return how many epochs the schedule of a level of "imp" has; all levels but the first begin at rewind_epoch."""
    return config.rewind_epoch + (config.epochs - config.rewind_epoch) // config.levels


def find_level(config: Config, epoch: int) -> int:
    """Return the level of `epoch`, both from 0."""
    return max(0, (epoch - config.rewind_epoch) // (count_level_epochs(config) - config.rewind_epoch))


class Updates:
    """The steps of a training that update the mask: t_0 + jΔ, j = 1, …, n, of `steps` steps that count from 0.

    Args:
        interval: Δ.
        start, end: t_0 and the last step that may update, as fractions of the steps.

    Attributes:
        first, last: these two as steps.
        updates: n, how many there are.

    Raises StudyError if there are none.
    """

    def __init__(self, steps: int, interval: int, start: float, end: float) -> None:
        require(interval >= 1, "update_interval", interval, "1 step or more")
        require(0 <= start < end <= 1, "update_start", start, f"from 0 to update_end ({end:g}), fractions of training")
        self.interval = interval
        self.first, self.last = (int(share * steps) for share in (start, end))
        room = min(self.last, steps - 1) - self.first
        self.updates = room // self.interval
        require(
            self.updates > 0,
            "update_interval",
            self.interval,
            f"at most {room}, as masks change between steps {self.first} and {self.last} of {steps}",
        )

    def number(self, step: int) -> int | None:
        """Return which update `step` is, from 1, or None for a step without."""
        number, rest = divmod(step - self.first, self.interval)
        return number if not rest and 1 <= number <= self.updates else None

    def progress(self, step: int) -> float:
        """Return how much of the time of updates is over in `step`, as a fraction."""
        return (step - self.first) / (self.last - self.first)


class Schedule(Updates):
    """The updates of a run, in the steps in which it trains and its mask may change."""

    def __init__(self, config: Config, steps_per_epoch: int) -> None:
        steps = (config.epochs - config.fine_tune_epochs) * steps_per_epoch
        super().__init__(steps, config.update_interval, config.update_start, config.update_end)


def list_without_effect(config: Config) -> set[str]:
    """Return the fields that the config's method does not read, of those that only some methods read."""
    if config.method not in READS or not config.sparsity:
        return set(FIELDS)
    reads = READS[config.method]
    names = {name for name in (*FIELDS, "rule", "layer_densities") if name not in reads}
    if not config.source_sparsity:
        names |= {"source_rule"}
    if "start_sparsity" in reads and config.start_sparsity <= config.source_sparsity:
        names |= {"start_sparsity", "rule", "layer_densities"}
    if config.method == "edge-popup" and not anneals(config):
        names |= {"update_interval", "update_start", "update_end"}
    if not config.source_sparsity and not draws_start(config):
        names |= {"preserve_flow"} if config.method == "edge-popup" else {"preserve_flow", "mask_seed"}
    return names


def anneals(config: Config) -> bool:
    """Return whether a run of edge-popup starts denser than it ends."""
    return start_sparsity(config) < config.sparsity


def draws_start(config: Config) -> bool:
    """Return whether the first mask is drawn inside the source: else it is the source, or chosen by scores."""
    return "rule" in READS[config.method] and start_sparsity(config) > config.source_sparsity


def start_sparsity(config: Config) -> float:
    """Return the sparsity at which training starts: that of the source, one that was asked for, or the final one."""
    reads = READS[config.method]
    if "start_sparsity" in reads:
        return max(config.start_sparsity, config.source_sparsity)
    return config.sparsity if "rule" in reads else config.source_sparsity
