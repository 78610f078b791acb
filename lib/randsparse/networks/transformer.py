"""A small Transformer encoder that classifies texts."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from randsparse.data.texts import PADDING
from randsparse.networks.architecture import Widths
from randsparse.networks.linear import HEADS
from randsparse.sparsity.paths import Attention, Flow


class Block(nn.Module):
    """Attention, then a feed-forward layer, each of the normalised stream, and added to it (pre-norm)."""

    def __init__(self, stream: int, head: int, inner: int) -> None:
        super().__init__()
        self.attention_norm, self.feedforward_norm = nn.LayerNorm(stream), nn.LayerNorm(stream)
        self.query, self.key, self.value = (nn.Linear(stream, HEADS * head, bias=False) for _ in range(3))
        self.output = nn.Linear(HEADS * head, stream, bias=False)
        self.expand = nn.Linear(stream, inner)
        self.contract = nn.Linear(inner, stream)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Return the stream, (N, length, stream), after the block.

        Args:
            hidden: -inf at the positions, (N, 1, 1, length), that no other position attends to, else 0.
        """
        x = x + self.output(self.attend(self.attention_norm(x), hidden))
        return x + self.contract(F.relu(self.expand(self.feedforward_norm(x))))

    def attend(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Return softmax(QKᵀ / √d) V of every head, side by side: (N, length, heads · d)."""
        query, key, value = (
            layer(x).unflatten(2, (HEADS, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        # In single operations, as GraSP needs second derivatives.
        scores = query @ key.transpose(2, 3) * query.shape[3] ** -0.5 + hidden
        return (scores.softmax(3) @ value).transpose(1, 2).flatten(2)


class Transformer(nn.Module):
    """Embeddings of tokens and places, blocks, a last norm, the mean over all words, and a classifier.

    Reads tokens (N, length), whole numbers of any dtype; PADDING is neither attended to nor counted in the mean. A
    mask covers all linear layers; embeddings, norms and biases stay dense. Without blocks there are no places either:
    the order of words then changes nothing.
    """

    def __init__(self, classes: int, vocabulary: int, length: int, widths: Widths) -> None:
        super().__init__()
        (stream,) = widths.streams
        self.embedding = nn.Embedding(vocabulary, stream)
        self.places = nn.Embedding(length, stream) if widths.inner else None
        inner = zip(widths.inner[::2], widths.inner[1::2], strict=True)
        self.blocks = nn.ModuleList(Block(stream, head, width) for head, width in inner)
        self.norm = nn.LayerNorm(stream)
        self.classifier = nn.Linear(stream, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens.long()
        words = (tokens != PADDING).to(self.embedding.weight.dtype)
        x = self.embedding(tokens)
        if self.places is not None:
            x = x + self.places.weight
        hidden = torch.zeros_like(words).masked_fill(tokens == PADDING, -torch.inf)[:, None, None, :]
        for block in self.blocks:
            x = block(x, hidden)
        mean = (self.norm(x) * words[:, :, None]).sum(1) / words.sum(1, keepdim=True)
        return self.classifier(mean)

    def flows(self) -> tuple[Flow, ...]:
        """Return the steps from input, which are the channels of the embeddings, to classes."""
        stream, steps = "input", []
        for index in range(len(self.blocks)):
            name, attended, after = f"blocks.{index}", f"stream@{2 * index + 1}", f"stream@{2 * index + 2}"
            steps += [Flow(f"{name}.{each}.weight", stream, f"{name}.{each}") for each in ("query", "key", "value")]
            by = Attention(f"{name}.query", f"{name}.key", HEADS)
            steps += [
                Flow(None, f"{name}.value", f"{name}.attended", by),
                Flow(f"{name}.output.weight", f"{name}.attended", attended),
                Flow(None, stream, attended),
                Flow(f"{name}.expand.weight", attended, f"{name}.inner"),
                Flow(f"{name}.contract.weight", f"{name}.inner", after),
                Flow(None, attended, after),
            ]
            stream = after
        return (*steps, Flow("classifier.weight", stream, "classes"))
