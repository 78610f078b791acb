"""Masks: which weights of a network exist, how they are drawn, compared and stored."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from randsparse.errors import StudyError, unknown
from randsparse.seeds import generator
from randsparse.sparsity import densities, flow_preservation
from randsparse.sparsity.applied import Applied
from randsparse.sparsity.layers import maskable

KINDS = ("exact", "bernoulli", "fan_in")


class Mask(Mapping[str, Tensor]):
    """A mapping of parameter name to bool tensor, True where a parameter is kept.

    Densities and counts are of weights: tensors of two or more dimensions. A node mask also has entries for
    scales and shifts of norm layers, which are masked but not counted.
    Raises StudyError for anything but a non-empty mapping of names to non-empty bool tensors.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        """Check and hold the tensors, which nobody changes from then on."""
        tensors = dict(tensors)
        for name, kept in tensors.items():
            if not isinstance(kept, Tensor) or kept.dtype != torch.bool or not kept.numel():
                what = f"{kept.dtype} {list(kept.shape)}" if isinstance(kept, Tensor) else type(kept)
                raise StudyError(f"mask entry {name!r} is {what}: it has to be a non-empty bool tensor")
        if not any(kept.dim() > 1 for kept in tensors.values()):
            raise StudyError("a mask needs at least one weight tensor (two or more dimensions)")
        self._tensors = tensors

    def __getitem__(self, name: str) -> Tensor:
        """Return where the parameter of that name is kept."""
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names, in order of depth."""
        return iter(self._tensors)

    def __len__(self) -> int:
        """Return the number of masked parameters."""
        return len(self._tensors)

    def __eq__(self, other: object) -> bool:
        """Equal are masks with the same names and entries, in any order."""
        if not isinstance(other, Mask):
            return NotImplemented
        return self.keys() == other.keys() and all(torch.equal(self[name], other[name]) for name in self)

    __hash__ = None

    @property
    def weights(self) -> dict[str, Tensor]:
        """The entries that are counted: tensors of two or more dimensions."""
        return {name: kept for name, kept in self.items() if kept.dim() > 1}

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many weights each layer keeps."""
        return {name: int(kept.sum()) for name, kept in self.weights.items()}

    @property
    def nnz(self) -> int:
        """How many weights are kept in all."""
        return sum(self.counts.values())

    @property
    def size(self) -> int:
        """How many weights there are, kept or not."""
        return sum(kept.numel() for kept in self.weights.values())

    @property
    def density(self) -> float:
        """The fraction of weights that is kept."""
        return self.nnz / self.size

    @property
    def layer_densities(self) -> dict[str, float]:
        """The fraction of weights that each layer keeps."""
        return {name: count / self[name].numel() for name, count in self.counts.items()}

    @property
    def empty_layers(self) -> list[str]:
        """The layers that keep no weight at all, through which nothing passes."""
        return [name for name, count in self.counts.items() if not count]

    @property
    def digest(self) -> str:
        """SHA-256 of names, shapes and entries: equal for equal masks, in any process."""
        sha = hashlib.sha256()
        for name in sorted(self):
            kept = self[name].cpu().contiguous().numpy()
            sha.update(f"{name}\0{kept.shape}\0".encode())
            sha.update(np.packbits(kept).tobytes())
        return sha.hexdigest()

    def to(self, device: torch.device | str) -> Mask:
        """Return the same mask on a device."""
        return Mask({name: kept.to(device) for name, kept in self.items()})

    def apply(self, model: nn.Module) -> Applied:
        """Keep masked weights of `model` at exactly zero, in any training loop and with any optimiser of `torch.optim`.

        They are set to zero at once. What is returned undoes it: by `remove()`, or as a context at the end of a `with`
        block. The methods of `training.methods` keep to their masks themselves, and take a model without this.
        Raises StudyError for a mask of another network, and for a model on which a mask is in force already.
        """
        return Applied(model, self)

    def save(self, path: Path | str) -> None:
        """Write the mask as a safetensors file; raises StudyError if the place cannot be written."""
        tensors = {name: kept.cpu().contiguous().clone() for name, kept in self.items()}
        try:
            save_file(tensors, path, metadata={"names": json.dumps(list(self))})
        except (OSError, SafetensorError) as error:
            raise StudyError(f"cannot write the mask to {path}: {error}") from error

    @classmethod
    def load(cls, path: Path | str) -> Mask:
        """Read a mask that `save` wrote, in its order; raises StudyError if it is missing or corrupt."""
        try:
            with safe_open(path, framework="pt") as file:
                names = json.loads((file.metadata() or {}).get("names", "null")) or list(file.keys())
                return cls({name: file.get_tensor(name) for name in names})
        except (OSError, SafetensorError, ValueError) as error:
            raise StudyError(f"cannot read a mask from {path}: {error}") from error

    def __repr__(self) -> str:
        """Return a table: for each layer and in all, how many weights are kept, of how many."""
        rows = [("layer", "shape", "kept", "of", "density")]
        for name, count in self.counts.items():
            shape, size = self[name].shape, self[name].numel()
            rows.append((name, "×".join(map(str, shape)), f"{count:,}", f"{size:,}", f"{count / size:.4f}"))
        rows.append(("total", "", f"{self.nnz:,}", f"{self.size:,}", f"{self.density:.4f}"))
        width = [max(map(len, column)) for column in zip(*rows, strict=True)]
        line = f"{{:<{width[0]}}}  {{:<{width[1]}}}  {{:>{width[2]}}}  {{:>{width[3]}}}  {{:>{width[4]}}}"
        return "\n".join(line.format(*row) for row in rows)


def find_weights(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight that a mask covers: of all convolutions and linear layers, in order of depth.

    Keys are names of parameters ("layer1.0.conv1.weight"); a weight that two layers share counts once. Works for any
    network. Raises StudyError for one without such layers.
    """
    shapes = maskable(model)
    if not shapes:
        raise StudyError(f"a {type(model).__name__} has no convolution or linear layer: there is no weight to mask")
    return shapes


def random(
    model_or_shapes: nn.Module | Mapping[str, tuple[int, ...]], *, density: float, rule: str = "erk", seed: int = 0
) -> Mask:
    """Return a random mask that keeps exactly round(density · N) of the N weights of a network, spread by a rule.

    Args:
        model_or_shapes: a network, of which all of `find_weights` are masked, or shapes by name of parameter, in order
            of depth.
        density: the fraction that is kept, in (0, 1].
        rule: one of `densities.RULES`.

    Raises StudyError for an unknown rule, and for a density that the rule cannot meet.
    """
    shapes = find_weights(model_or_shapes) if isinstance(model_or_shapes, nn.Module) else model_or_shapes
    return draw(shapes, densities.allocate(shapes, density, rule), seed)


def draw(
    shapes: Mapping[str, tuple[int, ...]],
    counts: Mapping[str, int],
    seed: int,
    kind: str = "exact",
    preserve_flow: bool = False,
) -> Mask:
    """Return a random mask that keeps `counts` weights of each layer.

    Each layer has one tensor of uniform scores, which depends on the seed and the layer's name only. Kinds:

        exact: the `count` lowest scores of the layer are kept;
        bernoulli: scores below count / size are kept, each weight independently: counts are right on average;
        fan_in: each output unit keeps the same number of its lowest scores; where count is no multiple of the
            units, some units, drawn by seed and name too, keep one more, so that the layer's count is exact.

    A sparser mask of the same seed and kind is a subset of the denser wherever the counts shrink. Not so with
    `preserve_flow`, which gives the units that an exact mask leaves without incoming or outgoing edges one each
    (`flow_preservation.repair`): a layer where it leaves none keeps the very same weights.
    Raises StudyError for an unknown kind, counts that do not fit the shapes, and flow that cannot be preserved: of
    another kind, or with fewer weights than a layer's floor (see `flow_preservation.lift`).
    """
    if kind not in KINDS:
        raise unknown("kind of mask", kind, KINDS)
    if preserve_flow and kind != "exact":
        raise StudyError(f"masks of kind {kind!r} cannot preserve flow: choose 'exact'")
    densities.check_shapes(shapes)
    if shapes.keys() != counts.keys():
        odd = ", ".join(sorted(shapes.keys() ^ counts.keys()))
        raise StudyError(f"shapes and counts name different layers ({odd}): give one count for each layer")
    tensors = {}
    for name, shape in shapes.items():
        count, size = counts[name], math.prod(shape)
        if not 0 <= count <= size:
            raise StudyError(f"cannot keep {count} weights of {name!r}: choose a count from 0 to {size}")
        scores = _scores(shape, seed, name)
        if kind == "exact":
            tensors[name] = keep_lowest(scores, count)
            if preserve_flow:
                if count < max(shape[:2]):
                    raise StudyError(f"{count} weights of {name!r} leave units without edges: keep {max(shape[:2])}")
                tensors[name] = torch.from_numpy(flow_preservation.repair(scores.numpy(), tensors[name].numpy()))
        elif kind == "bernoulli":
            tensors[name] = scores < count / size
        else:
            rank = torch.randperm(shape[0], generator=generator("rows", seed, name))
            tensors[name] = _lowest_in_rows(scores, count, rank)
    return Mask(tensors)


def draw_inside(source: Mask, counts: Mapping[str, int], seed: int) -> Mask:
    """Return a random mask that keeps `counts` of the weights of each layer of `source`: those of the lowest scores.

    The scores are those of `draw`. Of an exact source of that seed it is the mask that `draw` gives, unless flow was
    preserved, where that need not be inside the source.
    Raises StudyError for a count above that of the source.
    """
    tensors = {}
    for name, kept in source.weights.items():
        if not 0 <= counts[name] <= source.counts[name]:
            raise StudyError(f"cannot keep {counts[name]} weights of {name!r}: its source has {source.counts[name]}")
        tensors[name] = keep_lowest(_scores(kept.shape, seed, name).masked_fill(~kept, 2.0), counts[name])
    return Mask(tensors)


def shuffle(mask: Mask, seed: int) -> Mask:
    """Return a mask that keeps as many weights of every layer, elsewhere: those of each layer are permuted.

    Entries of norm layers, which a node mask has, have no counterpart in the result and are left out.
    """
    weights = mask.weights
    orders = {n: torch.randperm(kept.numel(), generator=generator("shuffle", seed, n)) for n, kept in weights.items()}
    return Mask({n: kept.flatten()[orders[n].to(kept.device)].view(kept.shape) for n, kept in weights.items()})


class Overlap(NamedTuple):
    """How much two masks share: the Jaccard index of their kept weights, and that of random masks alike."""

    jaccard: float
    expected: float


def overlap(a: Mask, b: Mask) -> Overlap:
    """Return |a ∩ b| / |a ∪ b|, and its value where masks of the same counts a layer are independent.

    expected is Σ_l e_l / Σ_l (a_l + b_l - e_l), with e_l = a_l b_l / N_l the mean overlap of layer l.
    Raises StudyError for masks of different layers.
    """
    if {n: k.shape for n, k in a.weights.items()} != {n: k.shape for n, k in b.weights.items()}:
        raise StudyError("the two masks have different layers: choose masks of the same network")
    common = sum(int((kept & b[name]).sum()) for name, kept in a.weights.items())
    chance = sum(a.counts[name] * b.counts[name] / kept.numel() for name, kept in a.weights.items())
    both = a.nnz + b.nnz
    return Overlap(common / (both - common), chance / (both - chance)) if both else Overlap(1.0, 1.0)


def keep_lowest(scores: Tensor, count: int) -> Tensor:
    """Return where the `count` lowest scores are; of equal scores the first ones: exact and nested."""
    flat = scores.flatten()
    share = count / len(flat)
    # Sorting millions of scores is slow. They are uniform, so only those within 6 standard deviations of the
    # count's share are in doubt. Should the threshold not be among these, all scores are sorted.
    for margin in (6 * math.sqrt(share * (1 - share) / len(flat)), 1.0):
        kept = flat < share - margin
        doubtful = ((flat < share + margin) & ~kept).nonzero().flatten()
        missing = count - int(kept.sum())
        if 0 <= missing <= len(doubtful):
            break
    kept[doubtful[flat[doubtful].argsort(stable=True)[:missing]]] = True
    return kept.reshape(scores.shape)


def _scores(shape: tuple[int, ...], seed: int, name: str) -> Tensor:
    """Return the uniform scores of a layer, in [0, 1), which depend on seed and name only."""
    return torch.rand(shape, generator=generator("mask", seed, name))


def _lowest_in_rows(scores: Tensor, count: int, rank: Tensor) -> Tensor:
    """Return the lowest scores of each row, `count` in all: rows ranked below the remainder keep one more."""
    rows = scores.flatten(1)
    fan_in = count // len(rows) + (rank < count % len(rows)).long()
    ordered = torch.from_numpy(np.sort(rows.numpy(), axis=1))  # several times faster than torch's sort
    threshold = ordered.gather(1, (fan_in[:, None] - 1).clamp(min=0))
    kept = (rows <= threshold) & (fan_in > 0)[:, None]
    for row in (kept.sum(1) > fan_in).nonzero().flatten().tolist():  # equal scores: keep the first ones
        kept[row] = False
        kept[row, rows[row].argsort(stable=True)[: int(fan_in[row])]] = True
    return kept.reshape(scores.shape)
