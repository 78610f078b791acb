"""The one form that a field of a run, or of an evaluation, has, whichever way its value was written."""

from __future__ import annotations

from typing import Any

from randsparse.errors import StudyError, require

LARGEST = 1e300
"""Beyond this a number is no setting of anything; seeds are whole numbers of any size below it."""


def convert(name: str, value: Any, default: Any) -> Any:
    """Return the value of a field in its one form: 1 becomes 1.0, a list a tuple.

    Args:
        default: of the field, which has its type; None for a whole number or None.

    Raises:
        StudyError: the value is of another type, NaN or infinite.
    """
    if name == "layer_densities":
        return convert_pairs(name, value)
    optional = default is None
    if value is None and optional:
        return None
    wanted = int if optional else type(default)
    number = _is_number(value)
    if wanted is float and number:
        return float(value)
    if wanted is int and number and value == int(value):
        return int(value)
    if wanted is tuple and isinstance(value, list | tuple) and all(map(_is_number, value)):
        return tuple(float(item) for item in value)
    if wanted in (bool, str) and isinstance(value, wanted):
        return value
    allowed = {tuple: "a list of numbers", int: "a whole number", float: "a finite number"}.get(wanted, wanted.__name__)
    shown, kind = f"{value!r:.80}", type(value).__name__
    raise StudyError(f"{name}={shown} is a {kind}: it must be {allowed}{' or None' if optional else ''}")


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= LARGEST  # NaN and infinity are not


def convert_pairs(name: str, value: Any) -> tuple[tuple[str, float], ...]:
    """Return densities by layer, a mapping or pairs, as pairs in the order of their names; raises StudyError."""
    try:
        densities = dict(value)
        numbers = all(map(_is_number, densities.values()))
        if not numbers or not all(isinstance(layer, str) for layer in densities):
            raise TypeError
    except (TypeError, ValueError):
        raise StudyError(f"{name}={value!r}: it must map names of layers to densities") from None
    for layer, p in densities.items():
        require(0 < p <= 1, f"{name}[{layer!r}]", p, "in (0, 1]")
    return tuple(sorted((layer, float(p)) for layer, p in densities.items()))


def make_json(name: str, value: Any) -> Any:
    """Return the value of a field, in its form, as a JSON value."""
    if name == "layer_densities":
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
