"""What one field of a `RunConfig` allows: choices of a text, or bounds of a number, in the metadata of the field."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Mapping
from typing import Any

from randsparse.errors import require, unknown

_BOUNDS = {"at_least": operator.ge, "above": operator.gt, "at_most": operator.le, "below": operator.lt}


def setting(default: Any, *choices: str, why: str = "", **bounds: float) -> Any:
    """Return a dataclass field that says which values it allows.

    Args:
        choices: the values of a text; none: any text.
        why: what the error about a number that is not allowed adds.
        bounds: at_least, above, at_most and below, of a number.
    """
    unknown_bounds = bounds.keys() - _BOUNDS
    if unknown_bounds:
        raise TypeError(f"no such bounds: {unknown_bounds}")
    return dataclasses.field(default=default, metadata={"choices": choices, "bounds": bounds, "why": why})


def check(name: str, value: Any, allowed: Mapping[str, Any]) -> None:
    """Raise StudyError for a value that the metadata of its field does not allow; None stands for no number."""
    choices, bounds = allowed.get("choices"), allowed.get("bounds")
    if choices and value not in choices:
        raise unknown(name, value, choices)
    if bounds and value is not None:
        words = " and ".join(f"{word.replace('_', ' ')} {bound:g}" for word, bound in bounds.items())
        fits = all(_BOUNDS[word](value, bound) for word, bound in bounds.items())
        require(fits, name, value, f"{words}: {allowed['why']}" if allowed["why"] else words)
