"""The pool by itself: units that are texts, and workers that are threads."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from randsparse.errors import StudyError
from randsparse.sweeps.pool import Pool
from randsparse.sweeps.tasks import Outcome


class Job:
    """Does what the name of a unit says, and notes how many are under way."""

    done = "worked on"

    def __init__(self):
        self.begun, self.beside, self.lock, self.gate = [], [], threading.Lock(), threading.Event()
        self.under_way = 0

    def keys(self, unit):
        return [unit]

    def __call__(self, unit):
        with self.lock:
            self.under_way += 1
            self.begun.append(unit)
            self.beside.append(self.under_way)
        if unit.startswith("long"):
            self.gate.wait(20)
        else:
            time.sleep(0.02)
        with self.lock:
            self.under_way -= 1
        if unit == "wrong":
            return Outcome(unit, [], error=StudyError("wrong for all"))
        died = unit == "deadly" or (unit == "unlucky" and self.begun.count(unit) == 1)
        return Outcome(unit, [], deaths=2 * died)


class Threads:
    """Workers like those of a cluster: each dies alone, and more may come."""

    shared, patience = False, 0.05

    def __init__(self, size):
        self.size, self.stopped = size, False
        self._executor = ThreadPoolExecutor(8)

    def submit(self, job, unit):
        return self._executor.submit(job, unit)

    def outcome(self, future, unit):
        return future.result()

    def stop(self):
        self.stopped = True


def names(outcomes):
    return [outcome.unit for outcome in outcomes]


def test_no_more_units_are_under_way_than_there_are_workers():
    job = Job()
    units = [f"unit {index}" for index in range(12)]
    assert sorted(names(Pool(job, 1, 3, Threads(3)).finished(units))) == sorted(units)
    assert max(job.beside) == 3 and sorted(job.begun) == sorted(units)


def test_workers_that_come_later_get_units_while_a_long_one_is_under_way():
    job, workers = Job(), Threads(1)
    outcomes = Pool(job, 1, 3, workers).finished(["long", "a", "b"])
    threading.Timer(0.2, lambda: setattr(workers, "size", 2)).start()
    assert names([next(outcomes), next(outcomes)]) == ["a", "b"]
    job.gate.set()
    assert names(outcomes) == ["long"] and not workers.stopped


def test_a_unit_whose_workers_died_is_started_again_and_given_up_after_that():
    job = Job()
    pool = Pool(job, 1, 3, Threads(2))
    assert sorted(names(pool.finished(["a", "unlucky", "b"]))) == ["a", "b", "unlucky"]
    found = []
    with pytest.raises(StudyError, match="died again and again while they worked on deadly: .*, 1 are missing"):
        for outcome in pool.finished(["deadly", "c", "d"]):
            found.append(outcome.unit)
    assert sorted(found) == ["c", "d"]
    assert job.begun.count("deadly") == 2 and job.begun.count("c") == 1


def test_the_error_of_a_unit_ends_all_and_stops_the_workers():
    job, workers = Job(), Threads(2)
    with pytest.raises(StudyError, match="wrong for all"):
        list(Pool(job, 1, 3, workers).finished(["long", "wrong", "never"]))
    job.gate.set()
    assert workers.stopped and "never" not in job.begun


def test_units_are_chosen_one_by_one_when_a_worker_is_free():
    job, asked = Job(), []

    def choose(units, size):
        for unit in units[:3]:
            asked.append((unit, len(finished)))
            yield unit

    finished, pool = [], Pool(job, 1, 3, Threads(1))
    with_choice = pool.finished(["a", "b", "c", "d", "e"], choose)
    for outcome in with_choice:
        finished.append(outcome.unit)
    assert finished == ["a", "b", "c", "d", "e"]
    assert asked == [("a", 0), ("b", 1), ("c", 2), ("d", 3), ("e", 4)]
