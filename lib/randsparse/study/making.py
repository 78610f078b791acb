"""Making the notebooks of a profile: each is executed as soon as its runs are there, and the book follows it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import time
from concurrent.futures import Future
from dataclasses import replace

from randsparse.errors import StudyError
from randsparse.study import execution, freshness
from randsparse.study.book import write_book
from randsparse.study.profile import Study
from randsparse.sweeps.budget import format_duration

FIRST = "03_sparsity_vs_accuracy"
"""The notebook with the main figure: of those that train, it comes first."""
EXECUTION, EVALUATION = 10.0, 1.0
"""Seconds that a notebook takes to be executed, and a run to be evaluated, roughly: for the time that is left."""
PATIENCE = 30.0
"""How many seconds training waits for the first notebook, so that there is a page to read within a minute."""
EARLY, SELDOM = 60.0, 120.0
"""After how many seconds of training the time left is said for the first time, and how often then."""


def make(study: Study, names: list[str], train: bool = True) -> None:
    """Execute notebooks after training what they need, and the overview last; all are tried, the first error is raised.

    Those that need no run come first, then FIRST, then the others by number. While one trains, those before it are
    executed, and the book is written with what there is.
    """
    making = Making(study, names)
    with contextlib.closing(making.executions):
        making.make(train)
    if making.errors:
        raise making.errors[0]


class Making:
    """What is under way; see `make`.

    Attributes:
        rest: the notebooks that are not yet begun.
        steps: how many notebooks there are to make; `step` of them were begun, and `executed` of them are done.
        errors: of notebooks that failed.
        book: what writes the book now, with `in_book` executed notebooks; `shown` is whether its place was said.
        next_word: when the time left is said again.
    """

    def __init__(self, study: Study, names: list[str]) -> None:
        self.study = replace(study, between=self.follow)
        self.executions = execution.Executions(study.profile, study.root, study.results, study.data_dir)
        self.rest, self.steps = list(names), len(names)
        self.step = self.executed = self.in_book = 0
        self.errors: list[StudyError] = []
        self.book: Future | None = None
        self.shown = False
        self.next_word = float("inf")

    def make(self, train: bool) -> None:
        """Make all notebooks; errors are kept."""
        overview = freshness.OVERVIEW in self.rest
        self.rest = [name for name in self.rest if name != freshness.OVERVIEW]
        self.announce()
        while self.rest:
            name = min(self.rest, key=self.place)
            ready = self.is_ready(name)
            self.rest.remove(name)
            self.say_step(name)
            if train and not ready:
                self.follow(PATIENCE if self.step > 1 and not self.executed else 0, 1)
                self.study.prepare([name])
            self.executions.start(name)
            self.follow()
        self.follow(None)
        if not self.errors and (overview or freshness.OVERVIEW in self.study.stale()):
            self.steps = max(self.steps, self.step + 1)
            self.say_step(freshness.OVERVIEW)
            self.executions.start(freshness.OVERVIEW)
            self.follow(None)
        if self.book is not None:
            concurrent.futures.wait([self.book])

    def is_ready(self, name: str) -> bool:
        """Return whether all is there that a notebook shows."""
        return not (self.study.needed([name], self.study.store) or self.study.evaluations_missing(name))

    def place(self, name: str) -> tuple[bool, bool, str]:
        """Return by what notebooks are ordered."""
        return not self.is_ready(name), name != FIRST, name

    def announce(self) -> None:
        """Say how many notebooks there are to make, and how many runs to train; how long that takes, a little later.

        Where the best learning rate is the last of its grid, there will be more runs.
        """
        runs = self.study.planned(self.rest)
        self.study.say(
            f"{self.steps} notebooks to make, {f'at least {len(runs)}' if runs else 'no'} runs to train for them"
        )
        self.next_word = time.monotonic() + EARLY if runs else float("inf")

    def say_step(self, name: str) -> None:
        """Say which step this is; the bar says how many runs are trained."""
        self.step += 1
        self.study.say(f"step {self.step} of {self.steps}: {name}")

    def follow(self, patience: float | None = 0, count: int | None = None) -> None:
        """Note what was executed meanwhile, and write the book anew; say now and then how long the rest takes.

        `patience` is as `Executions.ended` has it; `count` notebooks are waited for, all for None.
        """
        for name, error in itertools.islice(self.executions.ended(patience), count):
            if error:
                self.errors.append(error)
                continue
            self.study.remember(name)
            self.executed += 1
            self.study.say(f"{name}: executed")
            self.write_book()
        self.write_book()
        if time.monotonic() > self.next_word:
            self.next_word = time.monotonic() + SELDOM
            if left := self.time_left():
                self.study.say(left)

    def write_book(self) -> None:
        """Write the book in the background if there is more to show, and say once where it is."""
        if self.book is not None and self.book.done():
            if not self.shown and self.book.exception() is None:
                self.shown = True
                self.study.say(f"the first pages are there: open {self.book.result()} in a browser")
            self.book = None
        if self.book is None and self.in_book < self.executed:
            self.in_book = self.executed
            self.book = self.executions.submit(write_book, self.study.profile, self.study.root, self.study.folder)

    def time_left(self) -> str:
        """Return how long the rest takes, in words, by the runs that are in the store now; "" if that is unknown."""
        study = replace(self.study, between=None)  # whose estimate is of now
        names = [name for name in study.parameters if name != freshness.OVERVIEW]
        seconds = study.seconds_of(study.planned(names))
        if seconds is None:
            return ""
        evaluated = [unit.run for name in names for unit in study.evaluations_missing(name)]
        seconds += (EVALUATION * len(evaluated) + EXECUTION * (self.steps - self.executed)) / 2
        return f"about {format_duration(seconds)} left"
