"""The errors that a user can mend, each one line long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class StudyError(Exception):
    """What is wrong, what is allowed and what to do, in one line, for the person who runs the study."""

    def _render_traceback_(self) -> list[str]:
        """IPython asks for this: a notebook shows the line and no stack."""
        return [f"{type(self).__name__}: {self}"]


def unknown(kind: str, name: object, allowed: Iterable[str]) -> StudyError:
    """Return the error for a name that is not in a registry, which lists what is."""
    return StudyError(f"unknown {kind} {name!r}: choose one of {', '.join(map(str, allowed))}")


def require(condition: bool, name: str, value: object, allowed: str, where: str | None = None) -> None:
    """Raise StudyError for a value of `name` that is not allowed, unless the condition holds.

    Args:
        where: with what it is not allowed, such as a dataset.
    """
    if not condition:
        raise StudyError(f"{name}={value!r} is not possible{f' with {where}' if where else ''}: it must be {allowed}")


@contextmanager
def rename_in_errors(**names: str) -> Iterator[None]:
    """Let an error about one of these names, which begins with "name=", use the name that the user typed instead."""
    try:
        yield
    except StudyError as error:
        name, equals, rest = str(error).partition("=")
        raise StudyError(f"{names.get(name, name)}{equals}{rest}") from None
