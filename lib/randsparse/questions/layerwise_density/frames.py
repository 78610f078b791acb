"""What each rule leaves of the layers of a network: one row per run and role, and per rule."""

from __future__ import annotations

import pandas as pd

from randsparse.comparison.frames import ROLES, RUN

POINT = ["arm", "sparsity"]


def roles(layers: pd.DataFrame) -> pd.DataFrame:
    """Return one row per run and role with the density of all its layers together; `layers` as from `frames.layers`."""
    sums = layers.groupby([*RUN, "role"], sort=False, as_index=False)[["kept", "size"]].sum()
    return sums.assign(density=sums["kept"] / sums["size"])


def by_role(layers: pd.DataFrame) -> pd.DataFrame:
    """Return one row per arm and sparsity, in the order of arms: means over its runs.

    Columns: the density of the layers of each of ROLES that the network has; `emptied`, layers without a weight;
    `cut_off`, layers without a weight on a path; `on_path`, the share of kept weights that is on one; and runs.
    """
    wide = roles(layers).pivot_table(index=POINT, columns="role", values="density", sort=False)
    counted = layers.assign(
        emptied=layers["kept"] == 0,
        cut_off=(layers["effective"] == 0).where(layers["effective"].notna()).astype(float),
        used=layers["effective"] * layers["size"],
    )
    sums = counted.groupby(RUN, sort=False)[["emptied", "cut_off", "used", "kept"]].sum(min_count=1)
    sums["on_path"] = sums["used"] / sums["kept"]
    means = sums.groupby(POINT, sort=False)[["emptied", "cut_off", "on_path"]].mean()
    runs = sums.groupby(POINT, sort=False).size().rename("runs")
    return wide[[name for name in ROLES if name in wide]].join(means).join(runs).reset_index()
