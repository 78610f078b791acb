"""What the names in a config must be: those of a model, a rule, a layer, of a dataset in memory or streamed."""

from __future__ import annotations

from functools import lru_cache

from randsparse.data import catalogue
from randsparse.errors import require, unknown
from randsparse.networks import registry
from randsparse.runs import methods
from randsparse.sparsity import densities


@lru_cache
def fills_registers(model: str) -> bool:
    """Return whether lanes of that network fill whole vector registers, so that results do not depend on the lane."""
    widths = registry.default_widths(model)
    return all(width % 16 == 0 for width in (*widths.streams, *widths.inner))


@lru_cache
def find_model(dataset: str, model: str, rule: str) -> str:
    """Return the model's one name, or raise for any name that does not exist."""
    _, channels, size = catalogue.shape(dataset)
    registry.check_kind(model, dataset, catalogue.kind(dataset))
    rules = (*densities.RULES, *densities.SCORED, "custom")
    if rule not in rules:
        raise unknown("density rule", rule, rules)
    found = registry.architecture(model)
    found.check_images(channels, size)
    return found.name


@lru_cache
def check_streamed(dataset: str, engine: str, rule: str, criterion: str, method: str) -> None:
    """Raise StudyError for what needs all images in memory, of a dataset that is streamed from disk."""
    if catalogue.folder(dataset):
        require(engine != "batched", "engine", engine, f"'masked' with {dataset}, which is streamed from disk")
        require(method not in methods.DYNAMIC, "method", method, f"'static' with {dataset}, streamed from disk")
        for name, value in (("rule", rule), ("criterion", criterion)):
            require(
                value not in densities.NEED_DATA,
                name,
                value,
                f"one that needs no images with {dataset}, which is streamed from disk",
            )


@lru_cache
def check_layers(dataset: str, model: str, layers: tuple[tuple[str, float], ...]) -> None:
    """Raise StudyError for densities of layers that the model does not have."""
    shapes = registry.shapes(model, *catalogue.shape(dataset))
    for name, _ in layers:
        if name not in shapes:
            raise unknown("layer of layer_densities", name, shapes)
