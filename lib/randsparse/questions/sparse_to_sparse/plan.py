"""The runs of notebook 08: methods that change their mask, from dense networks and inside random sources."""

from __future__ import annotations

from randsparse.comparison.design import (
    DENSE,
    RANDOM,
    SMALL_OWN,
    Comparison,
    Parameters,
    base_config,
    compare,
    named_point,
    put_in_source,
)


def sparse_to_sparse(parameters: Parameters) -> Comparison:
    """Return the comparison of methods that change their mask, with their controls, at every final sparsity.

    Arms: dense, also trained for each of `shorter` epochs; random (static masks by `rule`) and small dense; each of
    `methods`, inside a random mask of each of `source_sparsities` by `source_rule` (0: the dense network). At
    `swept_sparsity`, `swept_method` in sources of each of `swept_sources`. At `rules_sparsity`, static masks by each of
    `rules` and `swept_method` in sources of `rules_source` by them, each with and without its flow preserved. Every
    level of iterative magnitude pruning has `level_epochs`.
    """
    base = base_config(parameters)
    points = {(DENSE, "weight", 0.0): base}
    for epochs in parameters["shorter"]:
        config = base.replace(epochs=epochs, warmup_epochs=min(base.warmup_epochs, epochs / 4))
        points[f"{DENSE}, {epochs} epochs", "weight", 0.0] = config
    for sparsity in parameters["sparsities"]:
        point = base.replace(sparsity=sparsity)
        points[RANDOM, "weight", sparsity] = point
        points[SMALL_OWN, "weight", sparsity] = point.replace(method="small-dense", init_scale="own")
        for method in parameters["methods"]:
            for source in parameters["source_sparsities"]:
                points |= named_point(put_in_source(point, method, source, parameters))
    point, method = base.replace(sparsity=parameters["swept_sparsity"]), parameters["swept_method"]
    for source in parameters["swept_sources"]:
        points |= named_point(put_in_source(point, method, source, parameters))
    point = base.replace(sparsity=parameters["rules_sparsity"])
    for rule in parameters["rules"]:
        for flow in (False, True):
            points |= named_point(point.replace(rule=rule, preserve_flow=flow), parameters["rule"])
            config = put_in_source(point, method, parameters["rules_source"], parameters)
            points |= named_point(config.replace(source_rule=rule, preserve_flow=flow))
    return compare(points, parameters["seeds"])
