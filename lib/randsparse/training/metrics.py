"""Evaluation of a network on a fixed set of images."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from randsparse.data.dataset import Dataset, normalize
from randsparse.runs.records import pack

ECE_BINS = 15


def logits(model: nn.Module, images: Tensor, dataset: Dataset, precision: torch.dtype, batch_size: int = 500) -> Tensor:
    """Return the logits, float64 (N, classes), of uint8 images (N, C, H, W), in evaluation mode, not augmented."""
    batches = (normalize(batch, dataset) for batch in images.split(batch_size))
    return torch.cat(outputs_of(model, batches, precision))


@torch.no_grad()
def outputs_of(model: nn.Module, batches: Iterable[Tensor], precision: torch.dtype) -> list[Tensor]:
    """Return the logits, float64 (N, classes), of each batch of normalised images, in evaluation mode."""
    was_training = model.training
    model.eval()
    outputs = []
    for batch in batches:
        with autocast(batch.device, precision):
            outputs.append(model(batch.to(input_dtype(precision))).double())
    model.train(was_training)
    return outputs


def loss_and_accuracy(outputs: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return the mean cross-entropy in nats and the accuracy as a fraction, over the whole set at once."""
    accuracy = (outputs.argmax(1) == labels).double().mean()
    return F.cross_entropy(outputs, labels).item(), accuracy.item()


def correctness(outputs: Tensor, labels: Tensor) -> str:
    """Return which of N images the logits (N, classes) classify correctly, as `records.correct` reads it back."""
    return pack((outputs.argmax(1) == labels).cpu().numpy())


def metrics(outputs: Tensor, labels: Tensor) -> dict[str, float]:
    """Return accuracy, NLL (nats), Brier score (0 to 2) and ECE (15 bins of equal width, l1) of logits (N, classes).

    Accuracy, NLL and Brier are means over the N images; ECE is torchmetrics' MulticlassCalibrationError.
    """
    from torchmetrics.functional.classification import multiclass_calibration_error

    nll, accuracy = loss_and_accuracy(outputs, labels)
    probabilities = outputs.softmax(1)
    classes = outputs.shape[1]
    brier = (probabilities - F.one_hot(labels, classes)).square().sum(1).mean().item()
    ece = multiclass_calibration_error(probabilities, labels, classes, n_bins=ECE_BINS, norm="l1").item()
    return {"accuracy": accuracy, "nll": nll, "brier": brier, "ece": ece}


def autocast(device: torch.device | str, precision: torch.dtype) -> torch.autocast:
    """Return the context in which the network computes: bfloat16 by autocast, other precisions plainly."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == torch.bfloat16)


def input_dtype(precision: torch.dtype) -> torch.dtype:
    """Return the dtype of weights and inputs: under bfloat16 both stay float32 and autocast casts them."""
    return torch.float32 if precision == torch.bfloat16 else precision
