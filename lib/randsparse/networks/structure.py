"""Which nodes a network has, which layers write and read them, and how signals flow from input to classes."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from randsparse.errors import StudyError
from randsparse.networks.residual import PreActivationBlock, ResidualNetwork
from randsparse.sparsity.paths import Flow


@dataclass(frozen=True)
class NodeGroup:
    """Nodes (channels) that are removed wherever they appear: a residual stream, or the inside of a block.

    Node i is output i of every writer, channel i of every norm, input i of every reader (names of modules).
    With row i of the writers and scale and shift i of the norms at zero, the node outputs exactly zero.
    """

    name: str
    size: int
    writers: tuple[str, ...]
    norms: tuple[str, ...]
    readers: tuple[str, ...]


@dataclass
class _Group:
    writers: list[str] = field(default_factory=list)
    norms: list[str] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)

    def freeze(self, name: str, model: nn.Module) -> NodeGroup:
        size = model.get_submodule(self.writers[0]).out_channels
        return NodeGroup(name, size, tuple(self.writers), tuple(self.norms), tuple(self.readers))


def _first_stream(model: ResidualNetwork) -> str:
    """Name the stream that the stem writes: its own, or group1's where no shortcut convolution parts them."""
    return "group1" if model.group1[0].shortcut is None else "stem"


def node_groups(model: ResidualNetwork) -> tuple[NodeGroup, ...]:
    """Return every group of nodes of a model: streams, then the insides of blocks, each in order of depth.

    Streams are named "stem", "group1", ..., insides "group1.0.inner"; inputs and classes are in no group. Raises
    StudyError for a network with bottleneck blocks.
    """
    if not isinstance(model, ResidualNetwork):
        blocks = "this network" if hasattr(model, "flows") else "bottleneck blocks"
        raise StudyError(f"nodes of {blocks} are not grouped: choose structure 'weight' or another model")
    stream = _first_stream(model)
    streams, inner = {stream: _Group(writers=["stem"])}, {}
    if hasattr(model, "stem_norm"):
        streams[stream].norms.append("stem_norm")
    for name, block in model.named_blocks():
        source = streams[stream]
        source.readers.append(f"{name}.conv1")
        if block.shortcut is not None:
            source.readers.append(f"{name}.shortcut")
            stream = name.split(".")[0]
        target = streams.setdefault(stream, _Group())
        target.writers.append(f"{name}.conv2")
        if block.shortcut is not None:
            target.writers.append(f"{name}.shortcut")
        if isinstance(block, PreActivationBlock):  # norms read the stream, so the reading block's count
            source.norms.append(f"{name}.norm1")
            inner_norm = f"{name}.norm2"
        else:  # norms write the stream, so the writing block's count
            target.norms.append(f"{name}.norm2")
            if block.shortcut is not None:
                target.norms.append(f"{name}.shortcut_norm")
            inner_norm = f"{name}.norm1"
        inner[f"{name}.inner"] = _Group([f"{name}.conv1"], [inner_norm], [f"{name}.conv2"])
    if hasattr(model, "head_norm"):
        streams[stream].norms.append("head_norm")
    streams[stream].readers.append("classifier")
    return tuple(group.freeze(name, model) for name, group in (streams | inner).items())


def flows(model: nn.Module) -> tuple[Flow, ...]:
    """Return every step of the paths from "input" to "classes", each after all that lead to its source.

    Args:
        model: as from `models.build`; one that has a method `flows` says it itself.
    """
    if hasattr(model, "flows"):
        return model.flows()
    if not isinstance(model, ResidualNetwork):
        return _bottleneck_flows(model)
    stream, version = _first_stream(model), 0
    steps = [Flow("stem.weight", "input", f"{stream}@0")]
    for name, block in model.named_blocks():
        source = f"{stream}@{version}"
        if block.shortcut is None:
            version += 1
            target, shortcut = f"{stream}@{version}", None
        else:
            stream, version = name.split(".")[0], 0
            target, shortcut = f"{stream}@0", f"{name}.shortcut.weight"
        steps.append(Flow(f"{name}.conv1.weight", source, f"{name}.inner"))
        steps.append(Flow(f"{name}.conv2.weight", f"{name}.inner", target))
        steps.append(Flow(shortcut, source, target))
    return (*steps, Flow("classifier.weight", f"{stream}@{version}", "classes"))


def _bottleneck_flows(model: nn.Module) -> tuple[Flow, ...]:
    """Return the steps in torchvision's ResNet of bottleneck blocks: three convolutions beside each shortcut."""
    stream, version = "stem", 0
    steps = [Flow("conv1.weight", "input", "stem@0")]
    for group in ("layer1", "layer2", "layer3", "layer4"):
        for index, block in enumerate(getattr(model, group)):
            name, source = f"{group}.{index}", f"{stream}@{version}"
            projects = block.downsample is not None
            stream, version = (group, 0) if projects else (stream, version + 1)
            target = f"{stream}@{version}"
            steps.append(Flow(f"{name}.conv1.weight", source, f"{name}.inner1"))
            steps.append(Flow(f"{name}.conv2.weight", f"{name}.inner1", f"{name}.inner2"))
            steps.append(Flow(f"{name}.conv3.weight", f"{name}.inner2", target))
            steps.append(Flow(f"{name}.downsample.0.weight" if projects else None, source, target))
    return (*steps, Flow("fc.weight", f"{stream}@{version}", "classes"))
