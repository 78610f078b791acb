"""The figures of notebook 01 with their captions."""

from __future__ import annotations

from randsparse.comparison.plots import Drawn
from randsparse.comparison.wording import count, number
from randsparse.questions.masks_and_densities import charts, survey
from randsparse.questions.masks_and_densities.evidence import Evidence


def draw_masks(found: Evidence) -> Drawn:
    """Draw one mask of a layer for each way to draw it."""
    spread = (found.draws["kept"] / found.draws["size"]).groupby(found.draws["kind"]).std()
    inputs = found.draws.groupby("kind").agg({"fewest": "min", "most": "max"})
    fewest, most = inputs["fewest"], inputs["most"]
    caption = (
        f"One mask of `{found.parameters['layer']}` for each of {len(found.pictures)} ways to draw it; kept weights "
        f"are dark, each kernel is a tile. Over {found.parameters['seeds']} seeds the density of this layer has a "
        f"standard deviation of {number(100 * spread['exact'])} points drawn exactly and "
        f"{number(100 * spread['bernoulli'])} drawn by Bernoulli. An output has "
        f"{fewest['exact']} to {most['exact']} inputs drawn exactly, and {most['fan_in']} "
        f"with fixed fan-in."
    )
    return Drawn(charts.mask_picture(found.pictures), caption, survey.positions(found.pictures))


def draw_layers(found: Evidence) -> Drawn:
    """Draw the density of each layer under each rule."""
    ends = found.layers.groupby(["rule", "sparsity"])["density"].agg(["min", "max"])
    rule, at = (ends["max"] / ends["min"]).idxmax()
    caption = (
        f"Density of each of the {len(found.shapes)} layers of {found.parameters['model']} under "
        f"{found.layers['rule'].nunique()} rules; nothing is random here. They are furthest apart under {rule} at "
        f"{100 * at:.4g} % sparsity, from {number(100 * ends['min'][rule, at])} to "
        f"{number(100 * ends['max'][rule, at])} %."
    )
    return Drawn(charts.layer_densities(found.layers), caption, found.layers)


def draw_allocation(found: Evidence) -> Drawn:
    """Draw realised against requested density, allocated exactly and clipped."""
    whole = found.allocated
    exact, clipped = (whole[whole["allocator"] == name] for name in ("exact", "clipped"))
    worst = clipped.loc[clipped["shortfall"].idxmax()]
    asked = sorted(whole["asked"].unique())
    few = whole["asked"].isin(asked[:: max(1, len(asked) // 10)])
    shown = whole[whole["rule"].isin(survey.CLIPPING) & few]
    caption = (
        f"Realised against requested density of whole networks, allocated exactly (hollow) and clipped at 1 (filled); "
        f"nothing is random here. Clipping loses most with {worst['rule']} on {worst['model']}: requested "
        f"{number(100 * worst['asked'], 1)} %, realised {number(100 * worst['realised'], 1)} %. Over "
        f"{exact['kept'].count()} exact allocations, the largest error is {exact['error'].abs().max():g} weights."
    )
    return Drawn(charts.asked_vs_realised(shown), caption, shown)


def draw_paths(found: Evidence) -> Drawn:
    """Draw the share of kept weights on a path, of exact masks."""
    shown = found.paths[found.paths["draw"] == found.parameters["kinds"][0]]
    last = max(found.parameters["sparsities"])
    left = shown[shown["sparsity"] == last].dropna(subset=["share"]).groupby("rule")["share"].mean()
    caption = (
        f"Share of the kept weights of {found.parameters['model']} that lie on a path from input to classes: mean and "
        f"95 % interval, cut at 0 and 100 % (n = {count([found.parameters['seeds']])} masks at each point). At "
        f"{100 * last:.4g} % sparsity it is {number(100 * left.min(), 1)} to {number(100 * left.max(), 1)} %, "
        f"depending on the rule. Crosses: sparsities that a rule cannot reach."
    )
    return Drawn(charts.effective_vs_asked(shown), caption, shown)
