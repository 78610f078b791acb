"""Every record that is committed parses and fits its key: names, forms and versions of fields have not changed."""

from __future__ import annotations

import json

import pytest

from conftest import REPOSITORY
from randsparse.questions.beyond_accuracy.adversarial import Adversarial
from randsparse.questions.beyond_accuracy.calibration import Calibration
from randsparse.questions.beyond_accuracy.corruptions import Corruption
from randsparse.questions.beyond_accuracy.ood import OutOfDistribution
from randsparse.questions.early_and_late.landscapes import Line, Sharpness
from randsparse.runs import evaluations, records
from randsparse.runs.config import RunConfig
from randsparse.runs.evaluations import EVALUATIONS, Evaluation
from randsparse.runs.store import RUNS, Store

RESULTS = REPOSITORY / "results"
KINDS = {kind.kind: kind for kind in (Adversarial, Calibration, Corruption, OutOfDistribution, Line, Sharpness)}


@pytest.mark.parametrize(("kind", "at_least"), [(RUNS, 1_022), (EVALUATIONS, 396)], ids=["runs", "evaluations"])
def test_committed_records_fit_their_names(kind, at_least):
    files, damaged = Store(RESULTS, read_only=True).of(kind), []
    found = [(entry.path, dataset) for dataset, entry in files.found()]
    assert len(found) >= at_least
    entries = [
        files.read(files.path(dataset, path.rpartition("/")[2].removesuffix(".json")), damaged)
        for path, dataset in found
    ]
    assert damaged == [] and None not in entries


def test_committed_runs_are_of_this_library_and_in_their_shortest_form():
    for record in Store(RESULTS, read_only=True).records():
        config = RunConfig.from_dict(record["config"])
        assert (config.key, config.to_dict()) == (record["key"], record["config"])
        assert not records.is_stale(record)


def test_committed_evaluations_are_of_kinds_that_there_are():
    for path in sorted((RESULTS / "evaluations").glob("*/*.json")):
        record = json.loads(path.read_bytes())
        values = dict(record["evaluation"])
        kind: type[Evaluation] = KINDS[values.pop("kind")]
        assert values.pop("version") == kind.version
        evaluation, config = kind(**values), RunConfig.from_dict(record["config"])
        assert (evaluation.key, evaluation.to_dict()) == (record["key"], record["evaluation"])
        assert evaluations.find_path(config, evaluation, Store(RESULTS)) == path
