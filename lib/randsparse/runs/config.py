"""RunConfig: everything that determines one training run, and the key that names it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from typing import Any

from randsparse.errors import require, unknown
from randsparse.networks import registry
from randsparse.runs import forms, interventions, methods, names, settings
from randsparse.runs.settings import setting
from randsparse.sparsity import densities

SCHEMA = 1
"""Version of the record format."""
SEMANTICS = 1
"""Version of what training does with a config: raised when the same config would give other numbers."""


@dataclass(frozen=True)
class RunConfig:
    """One training run; equal configs give equal records.

    Values are checked and brought to one form on construction: a field that has no effect (the rule of a dense
    network, the momentum of AdamW) goes back to its default, so that it cannot split the key. Raises StudyError for
    an unknown name, a wrong type or an impossible value.
    """

    # Data
    dataset: str = "digits"
    train_samples: int | None = setting(None, at_least=1, at_most=10**9)
    """Images of the training part that are used; None: all."""
    # Network
    model: str = "wrn-10-1"
    sparsity: float = setting(0.0, at_least=0, below=1, why="1 would leave no weight")
    """Fraction removed: of the weights, or (structure "node") of the nodes of every layer."""
    structure: str = setting("weight", "weight", "node")
    rule: str = "erk"
    """How density is spread over layers: `densities.RULES`, `scores.SCORES`, or "custom"."""
    layer_densities: tuple[tuple[str, float], ...] = ()
    """Of rule "custom": the density of each layer, given as a mapping."""
    criterion: str = setting("random", "random", *densities.SCORED)
    """Which weights of a layer are kept: drawn by mask_seed, or those of the highest scores."""
    score_init_seed: int | None = None
    """The seed of the initial weights that are scored; None: the run's own, init_seed."""
    draw: str = setting("exact", "exact", "bernoulli", "fan_in")
    preserve_flow: bool = False
    """Whether a random mask leaves no unit without incoming or outgoing edges."""
    method: str = setting("static", "static", "small-dense", *methods.DYNAMIC)
    """"static": a fixed mask. "small-dense": a narrower dense network of as many weights (or that share of nodes).
    `methods.DYNAMIC`: masks that change in training, which ends at `sparsity`."""
    source_sparsity: float = setting(0.0, at_least=0, below=1)
    """Of the fixed random mask that a changing mask stays in; 0: the dense network."""
    source_rule: str = "erk"
    """How the density of that mask is spread over layers: `densities.RULES`."""
    start_sparsity: float = setting(0.0, at_least=0, below=1)
    """At which granet (spread by `rule`) and edge-popup start; 0: all of the source."""
    prune_rate: float = setting(0.3, above=0, at_most=1)
    """Share of the kept weights of a layer that the first update replaces."""
    prune_decay: str = setting("cosine", *methods.CHOICES["prune_decay"])
    """How that share falls to 0 at update_end; "constant": not at all."""
    prune_scope: str = setting("global", *methods.CHOICES["prune_scope"])
    """"global": the weights of all layers are ranked together; "layer": each layer loses the same share."""
    update_interval: int = setting(100, at_least=1, at_most=10**9)
    """Steps from one change of the mask to the next."""
    update_start: float = setting(0.0, at_least=0, below=1)
    """Fraction of training after which gradual pruning begins."""
    update_end: float = setting(0.75, above=0, at_most=1)
    """Fraction of training after which the mask, or the density of edge-popup, stays."""
    threshold_init: float = -5.0
    """Of str: s, of which the sigmoid is the first threshold of a layer."""
    threshold_decay: float = setting(5e-4, at_least=0, at_most=1e6)
    """Of str: the weight decay of s."""
    levels: int = setting(5, at_least=2, at_most=1000)
    """Of imp: how many trainings share the epochs; between them, weights are pruned."""
    rewind: str = setting("weights", *methods.CHOICES["rewind"])
    """Of imp: what goes back before the next level, the weights with the learning rate, or the "rate" alone."""
    rewind_epoch: int = setting(0, at_least=0)
    """Of imp: the epoch of the first level to which it goes back."""
    fine_tune_epochs: int = setting(0, at_least=0)
    """Of edge-popup: the last epochs, which train the weights that it chose."""
    frozen_weights: str = setting("signed-constant", *methods.CHOICES["frozen_weights"])
    """Of edge-popup: ± the standard deviation; or as drawn, "kaiming-normal"."""
    init_scale: str = setting("parent", "parent", "own")
    """The fan-in of Kaiming initialization: of the dense parent, or of the weights that the run keeps."""
    # Recipe
    epochs: int = setting(20, at_least=1, at_most=10**5)
    stop_epoch: int | None = setting(None, at_least=1)
    """Where training ends early, as that of a search candidate does; the schedule still spans `epochs`."""
    cooldown_epoch: int = setting(0, at_least=0)
    """The epoch after which, if above 0, the learning rate falls linearly to zero, where the run ends."""
    cooldown_epochs: float = setting(0.0, at_least=0)
    """The epochs of this fall; up to cooldown_epoch the schedule spans `epochs`."""
    batch_size: int = setting(128, at_least=1, at_most=10**6)
    optimizer: str = setting("sgd", "sgd", "adamw")
    lr: float = setting(0.1, above=0)
    momentum: float = setting(0.9, at_least=0, below=1)
    nesterov: bool = True
    weight_decay: float = setting(5e-4, at_least=0, at_most=1e6)
    """Not applied to batch norm and biases."""
    schedule: str = setting("cosine", "cosine", "step")
    milestones: tuple[float, ...] = (0.5, 0.75)
    """Of schedule "step": fractions of training."""
    gamma: float = setting(0.1, above=0, at_most=1e6)
    """Of schedule "step": the factor of the learning rate at each milestone."""
    warmup_epochs: float = setting(1.0, at_least=0)
    label_smoothing: float = setting(0.0, at_least=0, below=1)
    norm_group: int | None = setting(None, at_least=2)
    """Images of which batch norm takes its statistics together; None: all of a batch."""
    # Arithmetic
    precision: str = setting("float32", "float32", "bfloat16", "float64")
    memory_format: str = setting("channels_last", "channels_last", "contiguous")
    engine: str = setting("masked", "masked", "compacted", "batched")
    """"compacted": a node mask trains as the smaller network; "batched": beside other runs."""
    # Randomness
    mask_seed: int = 0
    init_seed: int = 0
    data_seed: int = 0
    """Of the order of images and their augmentation."""
    fork_seed: int | None = None
    """Of order and augmentation after fork_epoch; None: data_seed in all epochs."""
    fork_epoch: int = setting(0, at_least=0)
    """0: all epochs; what else depends on data_seed (scores of training images) stays."""

    def __post_init__(self) -> None:
        # Plans make thousands of configs: fields left at their defaults are in order, and are passed over.
        given = {name: value for name, value in vars(self).items() if value is not DEFAULTS[name]}
        changed = {name: forms.convert(name, value, DEFAULTS[name]) for name, value in given.items()}
        for name, value in changed.items():
            settings.check(name, value, self.__dataclass_fields__[name].metadata)
            object.__setattr__(self, name, value)
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
        require(
            self.norm_group is None or self.batch_size % self.norm_group == 0,
            "norm_group",
            self.norm_group,
            f"None or a divisor of batch_size ({self.batch_size})",
        )
        require(
            self.stop_epoch is None or self.stop_epoch <= self.epochs,
            "stop_epoch",
            self.stop_epoch,
            f"None or at most epochs ({self.epochs})",
        )
        interventions.check(self)
        require(
            not self.nesterov or self.momentum > 0 or self.optimizer == "adamw",
            "momentum",
            self.momentum,
            "positive with nesterov=True",
        )
        require(
            all(0 < m < 1 for m in self.milestones) and list(self.milestones) == sorted(set(self.milestones)),
            "milestones",
            self.milestones,
            "increasing fractions of training between 0 and 1",
        )
        require(
            self.warmup_epochs < self.epochs,
            "warmup_epochs",
            self.warmup_epochs,
            f"below epochs ({self.epochs})",
        )
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
        names = methods.list_without_effect(self) | interventions.list_without_effect(self)
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
        if self.stop_epoch == interventions.find_last_epoch(self):
            names |= {"stop_epoch"}
        return names

    @cached_property
    def key(self) -> str:
        """16 hex digits: the hash of the fields that differ from their defaults, and of the versions."""
        return compute_key(self.to_dict())

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
        return self.stop_epoch or interventions.find_last_epoch(self)

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
        return {name: forms.make_json(name, value) for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunConfig:
        """Return the config of `to_dict`'s result; raises StudyError for a name that is no field."""
        for name in values:
            if name not in DEFAULTS:
                raise unknown("RunConfig field", name, DEFAULTS)
        return cls(**values)


DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(RunConfig)}
CHOICES = {field.name: field.metadata["choices"] for field in fields(RunConfig) if field.metadata.get("choices")}
"""By field, the values that it allows, of those that are names."""


def compute_key(values: dict[str, Any]) -> str:
    """Return the key of the config whose `to_dict` has these values."""
    text = json.dumps({"schema": SCHEMA, "semantics": SEMANTICS, "config": values}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=100_000)
def _replaced(config: RunConfig, changes: tuple[tuple[str, Any, type], ...]) -> RunConfig:
    """Return the copy with changed values, the same one for the same: plans ask for each many times."""
    return replace(config, **{name: value for name, value, _ in changes})
