"""RunConfig: everything that determines one training run, and the key that names it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, dataclass, fields, replace
from functools import cached_property, lru_cache
from typing import Any

from randsparse.errors import require, unknown
from randsparse.networks import registry
from randsparse.runs import forms, interventions, methods, names
from randsparse.sparsity import densities

SCHEMA = 1
"""Version of the record format."""
SEMANTICS = 1
"""Version of what training does with a config: raised when the same config would give other numbers."""

CHOICES: dict[str, tuple[str, ...]] = {
    "structure": ("weight", "node"),
    "draw": ("exact", "bernoulli", "fan_in"),
    "criterion": ("random", *densities.SCORED),
    "method": ("static", "small-dense", *methods.DYNAMIC),
    "init_scale": ("parent", "own"),
    "optimizer": ("sgd", "adamw"),
    "schedule": ("cosine", "step"),
    "precision": ("float32", "bfloat16", "float64"),
    "memory_format": ("channels_last", "contiguous"),
    "engine": ("masked", "compacted", "batched"),
    **methods.CHOICES,
}

MOST = {"epochs": 10**5, "batch_size": 10**6, "train_samples": 10**9, "update_interval": 10**9, "levels": 1000} | {
    name: 1e6 for name in ("weight_decay", "gamma", "threshold_decay")
}
"""The largest value of a field: beyond it, a value is a mistake."""


@dataclass(frozen=True)
class RunConfig:
    """One training run; equal configs give equal records.

    Values are checked and brought to one form on construction: a field that has no effect (the rule of a dense
    network, the momentum of AdamW) goes back to its default, so that it cannot split the key. Raises StudyError for
    an unknown name, a wrong type or an impossible value.
    """

    # data
    dataset: str = "digits"
    train_samples: int | None = None  # None: the whole training part
    # network
    model: str = "wrn-10-1"
    sparsity: float = 0.0  # fraction removed: of the weights, or (structure "node") of the nodes of every layer
    structure: str = "weight"
    rule: str = "erk"  # how density is spread over layers: densities.RULES, scores.SCORES, or "custom"
    layer_densities: tuple[tuple[str, float], ...] = ()  # of rule "custom": by layer; give a mapping
    criterion: str = "random"  # which weights of a layer are kept: drawn by mask_seed, or those of the highest scores
    score_init_seed: int | None = None  # the initial weights that are scored; None: the run's own, init_seed
    draw: str = "exact"
    preserve_flow: bool = False  # a random mask leaves no unit without incoming or outgoing edges: flow
    # "small-dense": a narrower dense network of as many weights (or that share of nodes); the masks of methods.DYNAMIC
    # change in training, which ends at `sparsity`
    method: str = "static"
    source_sparsity: float = 0.0  # of the fixed random mask that a changing mask stays in; 0: the dense network
    source_rule: str = "erk"  # how the density of that mask is spread over layers: densities.RULES
    start_sparsity: float = 0.0  # at which granet (spread by `rule`) and edge-popup start; 0: all of the source
    prune_rate: float = 0.3  # share of a layer's kept weights that the first update replaces
    prune_decay: str = "cosine"  # of that share, to 0 at update_end; or "constant"
    prune_scope: str = "global"  # weights of all layers are ranked together; "layer": each loses the same share
    update_interval: int = 100  # steps from one change of the mask to the next
    update_start: float = 0.0  # fraction of training after which gradual pruning begins
    update_end: float = 0.75  # fraction of training after which the mask, or the density of edge-popup, stays
    threshold_init: float = -5.0  # of str: s, of which the sigmoid is a layer's first threshold
    threshold_decay: float = 5e-4  # of str: weight decay of s
    levels: int = 5  # of imp: trainings, which share the epochs, and between which weights are pruned
    rewind: str = "weights"  # what goes back before the next level, with the learning rate; "rate": that alone
    rewind_epoch: int = 0  # to which, of the first level
    fine_tune_epochs: int = 0  # of edge-popup: the last epochs, which train the weights that it chose
    frozen_weights: str = "signed-constant"  # of edge-popup: ± the standard deviation; or as drawn, "kaiming-normal"
    init_scale: str = "parent"  # Kaiming fan-in of the dense parent, or of what the run keeps
    # recipe
    epochs: int = 20
    stop_epoch: int | None = None  # ends early, as a search candidate does; the schedule still spans `epochs`
    cooldown_epoch: int = 0  # after it, if above 0, the learning rate falls linearly to zero, where the run ends,
    cooldown_epochs: float = 0.0  # within so many epochs; up to there the schedule spans `epochs`
    batch_size: int = 128
    optimizer: str = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4  # not applied to batch norm and biases
    schedule: str = "cosine"
    milestones: tuple[float, ...] = (0.5, 0.75)  # of schedule "step", as fractions of training
    gamma: float = 0.1
    warmup_epochs: float = 1.0
    label_smoothing: float = 0.0
    norm_group: int | None = None  # images that batch norm takes its statistics of together; None: all of a batch
    # arithmetic
    precision: str = "float32"
    memory_format: str = "channels_last"
    engine: str = "masked"  # "compacted": a node mask trains as the smaller network; "batched": beside other runs
    # randomness
    mask_seed: int = 0
    init_seed: int = 0
    data_seed: int = 0  # order and augmentation
    fork_seed: int | None = None  # of order and augmentation after fork_epoch; None: data_seed's in all epochs
    fork_epoch: int = 0  # 0: of all epochs; what else depends on data_seed (scores of training images) stays

    def __post_init__(self) -> None:
        # Plans make thousands of configs: fields left at their defaults are in order, and are passed over.
        given = {name: value for name, value in vars(self).items() if value is not DEFAULTS[name]}
        changed = {name: forms.typed(name, value, DEFAULTS[name]) for name, value in given.items()}
        for name, value in changed.items():
            object.__setattr__(self, name, value)
        for name, allowed in CHOICES.items():
            if name in changed and changed[name] not in allowed:
                raise unknown(name, changed[name], allowed)
        object.__setattr__(self, "model", names.find_model(self.dataset, self.model, self.rule))
        self._check_values()
        for name in changed.keys() & self._without_effect():
            object.__setattr__(self, name, DEFAULTS[name])
        if self.method in methods.DYNAMIC:
            methods.check_schedule(self)
        if self.layer_densities:
            names.check_layers(self.dataset, self.model, self.layer_densities)
        names.check_streamed(self.dataset, self.engine, self.rule, self.criterion, self.method)

    def _check_values(self) -> None:
        require(0 <= self.sparsity < 1, "sparsity", self.sparsity, "in [0, 1): 1 would leave no weight")
        for name in ("epochs", "batch_size"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name, most in MOST.items():
            require((getattr(self, name) or 0) <= most, name, getattr(self, name), f"at most {most:g}")
        require(
            self.norm_group is None or (self.norm_group >= 2 and self.batch_size % self.norm_group == 0),
            "norm_group",
            self.norm_group,
            f"None or a divisor of batch_size ({self.batch_size}) from 2 up",
        )
        require(
            self.train_samples is None or self.train_samples >= 1,
            "train_samples",
            self.train_samples,
            "None (all) or at least 1",
        )
        require(
            self.stop_epoch is None or 1 <= self.stop_epoch <= self.epochs,
            "stop_epoch",
            self.stop_epoch,
            f"None or between 1 and epochs ({self.epochs})",
        )
        interventions.check(self)
        require(self.lr > 0, "lr", self.lr, "positive")
        require(0 <= self.momentum < 1, "momentum", self.momentum, "in [0, 1)")
        require(
            not self.nesterov or self.momentum > 0 or self.optimizer == "adamw",
            "momentum",
            self.momentum,
            "positive with nesterov=True",
        )
        require(self.weight_decay >= 0, "weight_decay", self.weight_decay, "0 or more")
        require(self.gamma > 0, "gamma", self.gamma, "positive")
        require(
            all(0 < m < 1 for m in self.milestones) and list(self.milestones) == sorted(set(self.milestones)),
            "milestones",
            self.milestones,
            "increasing fractions of training between 0 and 1",
        )
        require(
            0 <= self.warmup_epochs < self.epochs or self.warmup_epochs == 0,
            "warmup_epochs",
            self.warmup_epochs,
            f"0 or more and below epochs ({self.epochs})",
        )
        require(0 <= self.label_smoothing < 1, "label_smoothing", self.label_smoothing, "in [0, 1)")
        if self.method in methods.DYNAMIC:
            methods.check(self)
        sparse = self.sparsity > 0 and self.method != "small-dense"
        sparse_node = sparse and self.structure == "node"
        require(
            self.criterion == "random" or not sparse_node,
            "criterion",
            self.criterion,
            "'random' unless structure is 'weight'",
        )
        plain = self.criterion == "random" and self.draw == "exact"
        require(
            not self.preserve_flow or not sparse or sparse_node or plain,
            "preserve_flow",
            self.preserve_flow,
            "False unless criterion is 'random' and draw is 'exact'",
        )
        require(
            self.rule != "custom" or not sparse or sparse_node or self.layer_densities != (),
            "layer_densities",
            self.layer_densities,
            "a density by layer, of one at least, with rule='custom'",
        )
        require(
            self.engine != "compacted" or self.sparsity == 0 or sparse_node or self.method == "small-dense",
            "engine",
            self.engine,
            "'masked' or 'batched' unless structure is 'node'",
        )
        if not registry.architecture(self.model).convolutional:
            require(self.engine == "masked", "engine", self.engine, f"'masked' with {self.model}")
            require(
                not self.sparsity or self.structure == "weight",
                "structure",
                self.structure,
                f"'weight' with {self.model}, as only convolutional networks have node masks",
            )
        require(
            self.engine != "batched" or names.fills_registers(self.model),
            "engine",
            self.engine,
            f"'masked' for {self.model}, which has layers of other than a multiple of 16 channels",
        )

    def _without_effect(self) -> set[str]:
        names = methods.without_effect(self) | interventions.without_effect(self)
        spread = {"rule", "layer_densities", "criterion", "score_init_seed", "draw", "preserve_flow"}
        if self.sparsity == 0:
            names |= spread | {"structure", "method", "init_scale", "mask_seed"}
        elif self.method == "small-dense":
            names |= spread | {"mask_seed"}
        elif self.structure == "node":
            names |= spread
        if self.rule != "custom":
            names |= {"layer_densities"}
        if self.criterion != "random":
            names |= {"draw", "mask_seed"}
        elif self.rule not in CHOICES["criterion"]:
            names |= {"score_init_seed"}
        if self.score_init_seed == self.init_seed:
            names |= {"score_init_seed"}
        if (self.method == "small-dense" and self.sparsity) or (self.engine == "compacted" and not self.sparsity):
            names |= {"engine"}
        if self.optimizer == "adamw":
            names |= {"momentum", "nesterov"}
        if self.schedule != "step":
            names |= {"milestones", "gamma"}
        if not registry.architecture(self.model).convolutional:
            names |= {"memory_format"}
        if self.norm_group == self.batch_size:
            names |= {"norm_group"}
        if self.stop_epoch == interventions.last_epoch(self):
            names |= {"stop_epoch"}
        return names

    @cached_property
    def key(self) -> str:
        """16 hex digits: the hash of the fields that differ from their defaults, and of the versions."""
        return key_of(self.to_dict())

    @property
    def density(self) -> float:
        """Fraction kept, 1 - sparsity, without the rounding error of the subtraction."""
        return round(1.0 - self.sparsity, 12)

    @property
    def trajectory(self) -> RunConfig:
        """The complete run that this one is the beginning of: one without the fork or cool-down that it ends before."""
        return replace(self, stop_epoch=None)

    @property
    def last_epoch(self) -> int:
        """The number of epochs that this run trains; the last one of a cool-down may be a part of one."""
        return self.stop_epoch or interventions.last_epoch(self)

    def replace(self, **changes: Any) -> RunConfig:
        """Return a copy with other values; raises StudyError for a name that is no field."""
        for name in changes:
            if name not in DEFAULTS:
                raise unknown("RunConfig field", name, DEFAULTS)
        try:
            return _replaced(self, tuple((name, value, type(value)) for name, value in changes.items()))
        except TypeError:  # a mapping or list
            return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, as JSON values."""
        values = {name: getattr(self, name) for name, default in DEFAULTS.items() if getattr(self, name) != default}
        return {name: forms.as_json(name, value) for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunConfig:
        """Return the config of `to_dict`'s result; raises StudyError for a name that is no field."""
        for name in values:
            if name not in DEFAULTS:
                raise unknown("RunConfig field", name, DEFAULTS)
        return cls(**values)


DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(RunConfig) if field.default is not MISSING}


def key_of(values: dict[str, Any]) -> str:
    """Return the key of the config whose `to_dict` has these values."""
    text = json.dumps({"schema": SCHEMA, "semantics": SEMANTICS, "config": values}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=100_000)
def _replaced(config: RunConfig, changes: tuple[tuple[str, Any, type], ...]) -> RunConfig:
    """Return the copy with changed values, the same one for the same: plans ask for each many times."""
    return replace(config, **{name: value for name, value, _ in changes})
