"""Notebook 01 trains nothing: its parameters are checked before it runs."""

from __future__ import annotations

from randsparse.comparison.design import Comparison, Parameters
from randsparse.data import catalogue
from randsparse.errors import unknown
from randsparse.networks import registry
from randsparse.runs.config import CHOICES, RunConfig
from randsparse.sparsity.densities import RULES


def make_comparison(parameters: Parameters) -> Comparison:
    """Return a comparison without runs; raises StudyError for a name that does not exist."""
    for names, allowed, kind in (
        (parameters["rules"], RULES, "density rule"),
        (parameters["kinds"], CHOICES["draw"], "kind of mask"),
        ([parameters["layer"]], _layers(parameters["model"], parameters["dataset"]), "layer"),
    ):
        for name in names:
            if name not in allowed:
                raise unknown(kind, name, allowed)
    for model in parameters["allocated_models"]:
        RunConfig(dataset=parameters["allocated_dataset"], model=model)
    return Comparison((), ())


def _layers(model: str, dataset: str) -> list[str]:
    config = RunConfig(dataset=dataset, model=model)
    return list(registry.shapes(config.model, *catalogue.shape(dataset)))
